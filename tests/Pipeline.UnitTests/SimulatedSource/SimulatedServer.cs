using System.Collections.Immutable;
using OrdersStream.Postgres;
using OrdersStream.Rows;

namespace OrdersStream.UnitTests.SimulatedSource;

/// <summary>What is committed. It never changes, so a snapshot is a reference to it.</summary>
/// <param name="Rows">The current version of each key.</param>
/// <param name="Catalogue">What the catalogue says.</param>
/// <param name="Prepared">Transactions that are prepared.</param>
/// <param name="Apart">Tables that are no part of the table now.</param>
internal sealed record Contents(
    ImmutableSortedDictionary<long, RowVersion> Rows, SimulatedCatalogue Catalogue, ImmutableList<SimulatedTransaction> Prepared,
    ImmutableSortedDictionary<uint, ImmutableArray<RowVersion>> Apart);

/// <summary>A server's volume at one moment.</summary>
internal sealed record Volume(Contents Contents, ulong NextXid, ulong Lsn, string Timeline);

/// <summary>A snapshot, as Postgres prints it and as its rows show it.</summary>
/// <param name="Now">The next id, from which age() counts.</param>
internal sealed record Snapshot(string Text, ulong Xmin, ulong Xmax, ulong Lsn, Contents Contents, ulong Now);

/// <summary>
/// The part of Postgres that decides what a horizon sees: ids, snapshots, the log and what of it is on the disk, and what a crash or a
/// volume that is put back makes of them. One thing at a time, so that a seed is the whole history.
/// </summary>
internal sealed class SimulatedServer
{
    private readonly List<SimulatedTransaction> open = [];
    private ulong latestCompleted, loggedNext;
    private Volume durable;

    /// <param name="firstId">The first transaction id.</param>
    /// <param name="isGuarded">A trigger sets the ordering column from the clock.</param>
    /// <param name="hasNulls">The ordering column may be NULL.</param>
    public SimulatedServer(ulong firstId, bool isGuarded, bool hasNulls)
    {
        (NextXid, HasNulls) = (firstId, hasNulls);
        var by = TakeId();
        Contents = new(ImmutableSortedDictionary<long, RowVersion>.Empty, SimulatedCatalogue.Start(isGuarded, by), [],
            ImmutableSortedDictionary<uint, ImmutableArray<RowVersion>>.Empty);
        latestCompleted = by;
        durable = new(Contents, NextXid, Lsn, Timeline);
        Checkpoint();
    }

    public long Clock { get; set; }
    public ulong NextXid { get; private set; }
    public Contents Contents { get; private set; }
    public ulong Lsn { get; private set; } = 1000;
    public string Timeline { get; private set; } = "00000001";
    public DateTime StartedAt { get; private set; } = SimulatedClock.Time(-SimulatedClock.Second);
    public bool HasNulls { get; }
    public ulong FlushedLsn => durable.Lsn;

    /// <summary>How often it was started: what began before ends.</summary>
    public int Starts { get; private set; }

    /// <summary>Who holds the lock of a reader.</summary>
    public int Readers { get; set; }

    public IEnumerable<SimulatedTransaction> Open => open;

    public IEnumerable<SimulatedTransaction> Running => open.Concat(Contents.Prepared);

    public bool IsLocked => open.Exists(t => t.Lock == TableLock.All);

    /// <summary>The oldest start that others show.</summary>
    public long? OldestStart => open.Where(t => t.IsShown).Select(t => (long?)t.Start).Min();

    public static SourceTable Orders(bool hasTrigger, bool hasNulls) => (hasTrigger, hasNulls) switch
    {
        (true, _) => Guarded,
        (false, true) => WithNulls,
        _ => Unguarded,
    };

    private static readonly SourceTable WithNulls =
        Postgres.Horizons.Orders(nullableTimestamp: true) with { Trigger = new(null, null, []) };
    private static readonly SourceTable Guarded = Postgres.Horizons.Orders();
    private static readonly SourceTable Unguarded = Guarded with { Trigger = new(null, null, []) };

    /// <summary>The table as its catalogue shows it.</summary>
    public SourceTable Table => Orders(Contents.Catalogue.IsGuarded, HasNulls);

    /// <summary>It can be locked so: whoever has written holds a lock until he ends.</summary>
    public bool MayLock(TableLock strength) => !open.Exists(t => t.Lock != TableLock.None)
        && (strength == TableLock.None || !Running.Any(t => t.HasWritten))
        && (strength != TableLock.All || Readers == 0);

    public bool MayWrite(SimulatedTransaction transaction, long key) =>
        Running.All(t => t == transaction || (t.Lock == TableLock.None && !t.Held.Contains(key)));

    public SimulatedTransaction Begin(bool isAsync = false)
    {
        var transaction = new SimulatedTransaction(Clock) { IsAsync = isAsync };
        open.Add(transaction);
        return transaction;
    }

    public ulong IdOf(SimulatedTransaction transaction)
    {
        var id = transaction.IdToWrite(TakeId);
        Log(id);
        return id;
    }

    public void RollBackToSavepoint(SimulatedTransaction transaction)
    {
        if (transaction.RollBack() is { } id) Completed(id);
    }

    public void Commit(SimulatedTransaction transaction)
    {
        End(transaction);
        if (transaction.Id is null) return;
        var rows = Contents.Rows.SetItems(transaction.Writes.Select(r => KeyValuePair.Create(r.Key, r)));
        Contents = Contents with { Rows = rows };
        if (transaction.Change is { } change) Contents = change(Contents);
        Log(transaction.LatestId);
        if (!transaction.IsAsync) Flush();
    }

    public void RollBack(SimulatedTransaction transaction)
    {
        End(transaction);
        if (transaction.Id is { } id) Log(id);
    }

    public void Prepare(SimulatedTransaction transaction)
    {
        open.Remove(transaction);
        Contents = Contents with { Prepared = Contents.Prepared.Add(transaction) };
        Flush();
    }

    public void EndPrepared(SimulatedTransaction transaction, bool commits)
    {
        Contents = Contents with { Prepared = Contents.Prepared.Remove(transaction) };
        if (commits) Commit(transaction);
        else RollBack(transaction);
        Flush();
    }

    /// <summary>Others' transactions, that have nothing to do with the table.</summary>
    public void Burn(int count)
    {
        for (var i = 0; i < count; i++) Completed(TakeId());
    }

    /// <summary>All that is written is on the disk.</summary>
    public void Flush() => durable = new(Contents, loggedNext, Lsn, Timeline);

    /// <summary>The counter is on the disk, too.</summary>
    public void Checkpoint()
    {
        loggedNext = NextXid;
        Lsn++;
        Flush();
    }

    /// <summary>So many transactions later: all rows were frozen meanwhile, and keep their 32 bits.</summary>
    public void Jump(ulong count)
    {
        NextXid += count;
        if ((uint)NextXid < 3) NextXid += 3;
        latestCompleted = NextXid - 1;
        Lsn += 100;
        Checkpoint();
    }

    public Snapshot TakeSnapshot()
    {
        var xmax = Following(latestCompleted);
        var running = Running.Select(t => t.Id).OfType<ulong>().Where(id => id < xmax).Order().ToList();
        var xmin = running.Count > 0 ? running[0] : xmax;
        return new($"{xmin}:{xmax}:{string.Join(',', running)}", xmin, xmax, Lsn, Contents, NextXid);
    }

    /// <summary>The volume as a copy of it would be: what was not on the disk is not in it.</summary>
    public Volume Copy() => durable;

    public void Stop() => Checkpoint();

    /// <summary>A start with what is on the disk: after a stop, a crash, or with another volume.</summary>
    public void Start(Volume? volume = null, bool isPromotion = false)
    {
        var found = volume ?? durable;
        (Contents, NextXid, Lsn, Timeline) = (found.Contents, found.NextXid, found.Lsn, found.Timeline);
        if (isPromotion) Timeline = $"{int.Parse(Timeline) + 1:00000000}";
        latestCompleted = NextXid - 1;
        open.Clear();
        Readers = 0;
        Starts++;
        StartedAt = SimulatedClock.Time(Clock).AddTicks(Starts);
        Checkpoint();
    }

    public void LogMore(ulong bytes) => Lsn += bytes;

    private void End(SimulatedTransaction transaction)
    {
        open.Remove(transaction);
        if (transaction.Id is not null) Completed(transaction.LatestId);
    }

    private void Completed(ulong id) => latestCompleted = Math.Max(latestCompleted, id);

    private void Log(ulong id)
    {
        Lsn += 10;
        loggedNext = Math.Max(loggedNext, Following(id));
    }

    private ulong TakeId()
    {
        var id = NextXid;
        NextXid = Following(id);
        return id;
    }

    // The first three of each round have meanings of their own.
    private static ulong Following(ulong id) => (uint)(id + 1) < 3 ? (id & ~0xFFFFFFFFUL) + (1UL << 32) + 3 : id + 1;
}
