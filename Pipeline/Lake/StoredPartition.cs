using OrdersStream.Durable;

namespace OrdersStream.Lake;

/// <summary>
/// What the lake has of one partition, as its commit log says. Whoever reads a log entry first makes sure that its files
/// have their final names, so an entry is only ever followed by another when its files are visible.
/// </summary>
internal sealed class StoredPartition(int partition, CommitLog log, FinalNames names, CrashPoints crashPoints)
{
    private long newest;

    public int Partition { get; } = partition;

    public PartitionState State { get; private set; } = PartitionState.Empty;

    /// <summary>No batch was ever committed.</summary>
    public bool IsNew => newest == 0;

    /// <summary>Number of the next entry.</summary>
    public long NextSequence => newest + 1;

    /// <summary>Reads the log again and rolls its newest entry forward; false when it stands where it stood.</summary>
    public bool Reload()
    {
        if (log.ReadNewest() is not { } entry || entry.Sequence == newest) return false;
        crashPoints.Reached(CrashPoint.RollForwardBegun);
        Name(entry);
        names.Sync(entry);
        Adopt(entry);
        return true;
    }

    /// <summary>Where a log without entries begins.</summary>
    public void BeginAt(long offset) => State = PartitionState.Empty with { NextOffset = offset };

    /// <summary>The commit point of one partition's batch; false when another writer was faster.</summary>
    public bool TryAppend(CommitEntry entry) => log.TryAppend(entry);

    /// <summary>The log has an entry of this number, whoever's it is.</summary>
    public bool Has(CommitEntry entry) => log.Has(entry.Sequence);

    /// <summary>The state that a committed and published entry leaves.</summary>
    public void Adopt(CommitEntry entry) => (newest, State) = (entry.Sequence, entry.State);

    /// <summary>Its files get their final names.</summary>
    public void Name(CommitEntry entry) => names.Give(entry, log.AcceptsMissing(entry.Sequence, out var markerPath), markerPath);

    public void Prune() => log.Prune();

    /// <summary>A human lets the partition go on although Kafka has lost what begins at <paramref name="offset"/>.</summary>
    /// <param name="markerPath">The file whose existence says so.</param>
    public bool AcceptsLoss(long offset, out string markerPath) => log.AcceptsLoss(offset, out markerPath);
}
