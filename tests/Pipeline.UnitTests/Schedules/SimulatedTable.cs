using System.Globalization;
using System.Text;
using OrdersStream.Postgres;
using OrdersStream.Rows;
using OrdersStream.UnitTests.Store;

namespace OrdersStream.UnitTests.Schedules;

/// <summary>A row as it stands: its key, how often it was written, and by which transaction last.</summary>
internal readonly record struct RowVersion(long Key, int Version, long Transaction)
{
    public byte[] KeyBytes => Encoding.UTF8.GetBytes(Key.ToString(CultureInfo.InvariantCulture));

    public byte[] ValueBytes => Encoding.UTF8.GetBytes(
        $$"""{"order_id":{{Key}},"status":"v{{Version}}","created_at":"2026-02-28T12:00:00.000000Z",""" +
        "\"updated_at\":\"2026-03-01T00:00:00.000000Z\"}");

    public Cursor Cursor => new(Transaction.ToString(CultureInfo.InvariantCulture), [Key.ToString(CultureInfo.InvariantCulture)]);
}

/// <summary>The source: a window reads the versions that are current, and none that has moved on since.</summary>
internal sealed class SimulatedTable
{
    private readonly Dictionary<long, RowVersion> rows = [];
    private long transaction;

    public static SourceIdentity Identity { get; } = new("system", "00000001", "shop", "public.orders", 1);

    public IEnumerable<RowVersion> Rows => rows.Values;

    public string Snapshot => transaction.ToString(CultureInfo.InvariantCulture);

    /// <summary>One transaction writes these rows.</summary>
    public void Write(IEnumerable<long> keys)
    {
        transaction++;
        foreach (var key in keys.Distinct()) rows[key] = new RowVersion(key, rows.GetValueOrDefault(key).Version + 1, transaction);
    }

    public Horizon TakeHorizon() => new(
        Snapshot, (ulong)transaction + 1, (ulong)transaction + 1, [], null, DateTime.UnixEpoch.AddSeconds(transaction), DateTime.UnixEpoch,
        System.Collections.Immutable.ImmutableSortedDictionary<uint, DateTime?>.Empty);

    /// <summary>The rest of the window, up to a row.</summary>
    public List<RowVersion> Read(Window window, Cursor? last = null)
    {
        var order = window.IsInKeyOrder
            ? Comparer<(long Transaction, long Key)>.Create((a, b) => a.Key.CompareTo(b.Key))
            : Comparer<(long Transaction, long Key)>.Default;
        return
        [
            .. rows.Values.Where(r => (ulong)r.Transaction < window.To.Xmin
                    && (window.From is null || (ulong)r.Transaction >= window.From.Xmin)
                    && (window.Cursor is null || order.Compare(Place(r.Cursor), Place(window.Cursor)) > 0)
                    && (last is null || order.Compare(Place(r.Cursor), Place(last)) <= 0))
                .OrderBy(r => Place(r.Cursor), order),
        ];
    }

    private static (long Transaction, long Key) Place(Cursor cursor) =>
        (long.Parse(cursor.Timestamp!, CultureInfo.InvariantCulture), long.Parse(cursor.Key[0], CultureInfo.InvariantCulture));
}
