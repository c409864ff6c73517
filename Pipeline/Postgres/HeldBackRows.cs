using System.Globalization;

namespace OrdersStream.Postgres;

/// <summary>
/// Committed rows that a horizon leaves to a later window: more transactions are visible behind one that is open than may be remembered.
/// What is not committed yet is not held back.
/// </summary>
/// <param name="Since">Of what was committed before, nothing is held back, by the database's clock; null: that cannot be told.</param>
public sealed record HeldBackRows(DateTime? Since)
{
    /// <summary>Whatever the horizon before had, was published.</summary>
    public static HeldBackRows Behind(Horizon? previous) => new(previous?.CompleteUpTo);
}

/// <summary>A transaction that writes, of whatever database: no horizon's H lies above its id.</summary>
/// <param name="Xid">Its id, as rows carry it.</param>
/// <param name="Transaction">Whose it is.</param>
internal sealed record OldestWriter(uint Xid, OldestOpen Transaction)
{
    /// <summary>It is the one behind which the horizon's transactions were visible, and not another since.</summary>
    public bool Holds(Horizon horizon) =>
        // A snapshot's ids have 64 bits.
        ulong.TryParse(horizon.Snapshot.Split(':')[0], CultureInfo.InvariantCulture, out var xmin) && (uint)xmin == Xid;
}
