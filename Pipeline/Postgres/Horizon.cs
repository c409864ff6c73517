using System.Collections.Immutable;

namespace OrdersStream.Postgres;

/// <summary>
/// What one snapshot of the database could see. A row with transaction id x is in it iff x &lt; H or x is in
/// <see cref="Seen"/>: a transaction's rows become visible together, so its id is enough, and a subtransaction's id,
/// which no snapshot lists, is found on the row itself.
/// </summary>
/// <param name="Snapshot">S, as Postgres prints it: equal text means that nothing was committed in between.</param>
/// <param name="Xmin">H: every transaction below it had ended, and its id is never given again.</param>
/// <param name="Xmax">The next transaction id at the time.</param>
/// <param name="Seen">Transactions at or above H whose rows were visible already (32-bit ids, as rows carry them).</param>
/// <param name="LowerBound">L: rows of later windows are not older than this, by the ordering column; null: no bound.</param>
/// <param name="TakenAt">The database's clock.</param>
/// <param name="ServerStarted">Start time of the postmaster.</param>
/// <param name="Prepared">Prepared transactions and their bounds; a null bound is none.</param>
public sealed record Horizon(
    string Snapshot,
    ulong Xmin,
    ulong Xmax,
    ImmutableArray<uint> Seen,
    DateTime? LowerBound,
    DateTime TakenAt,
    DateTime ServerStarted,
    ImmutableSortedDictionary<uint, DateTime?> Prepared)
{
    /// <summary>No id below it is ever given again: a crash gives those again that only transactions had which were rolled back.</summary>
    public ulong NeverAgainBelow => Seen.IsEmpty ? Xmin : Seen.Max(x => Xmin + (x - (uint)Xmin)) + 1;

    /// <summary>True for an expression that yields a transaction id: is it in this horizon?</summary>
    /// <remarks>
    /// <c>age(x) BETWEEN 0 AND age(H)</c> is "x at or above H". A negative age is a frozen row from more than two billion
    /// transactions ago, and is old; a plain comparison would drop such rows from the initial load.
    /// </remarks>
    public string Contains(string xid)
    {
        var below = $"NOT (age({xid}) BETWEEN 0 AND age('{(uint)Xmin}'::xid))";
        return Seen.IsEmpty ? below : $"({below} OR {xid} = ANY ('{{{string.Join(',', Seen)}}}'::xid[]))";
    }

    /// <summary>Of <see cref="Seen"/>, those at or above a later H.</summary>
    public ImmutableArray<uint> SeenFrom(ulong xmin) => [.. Seen.Where(x => (int)(x - (uint)xmin) >= 0)];

    /// <summary>
    /// The bound of a new horizon, from what was seen before its snapshot was taken.
    /// </summary>
    /// <param name="clock">The database's clock, read first.</param>
    /// <param name="oldestStart">The oldest open transaction of another session of this database.</param>
    /// <param name="prepared">Bounds of the prepared transactions.</param>
    /// <param name="slack">Covers the moment between a backend taking its start time and showing it, and clients' clocks.</param>
    public static DateTime? Bound(DateTime clock, DateTime? oldestStart, IEnumerable<DateTime?> prepared, TimeSpan slack)
    {
        var bound = oldestStart is { } start && start < clock ? start : clock;
        foreach (var p in prepared)
        {
            if (p is null) return null;
            if (p < bound) bound = p.Value;
        }
        return bound - slack;
    }
}
