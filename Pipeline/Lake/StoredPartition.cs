using OrdersStream.Diagnostics;
using OrdersStream.Durable;

namespace OrdersStream.Lake;

/// <summary>
/// What the lake has of one partition, as its commit log says. Whoever reads a log entry first makes sure that its files
/// have their final names, so an entry is only ever followed by another when its files are visible.
/// </summary>
internal sealed class StoredPartition(int partition, CommitLog log, FinalNames names, CrashPoints crashPoints)
{
    private long newest;
    private string writer = "";

    public int Partition { get; } = partition;

    public PartitionState State { get; private set; } = PartitionState.Empty;

    /// <summary>No batch was ever committed.</summary>
    public bool IsNew => newest == 0;

    /// <summary>Number of the next entry.</summary>
    public long NextSequence => newest + 1;

    /// <summary>Reads the log again and rolls its newest entry forward; false when it stands where it stood.</summary>
    /// <exception cref="PipelineException">It has less than it had: it is another, and is not gone on with unseen.</exception>
    public bool Reload()
    {
        var entry = log.ReadNewest();
        if (!IsNew && (entry is null || IsBehind(entry))) throw PutBack($"entry {newest} of its commit log");
        if (entry is null || entry.Sequence == newest) return false;
        crashPoints.Reached(CrashPoint.RollForwardBegun);
        Name(entry);
        names.Sync(entry, log.AcceptsMissing(entry.Sequence, out _));
        Adopt(entry);
        // An entry without files, as that of a fence, does not show whether the lake is as new as the log.
        if (State.NewestFile is { } file) names.Give(file.File, log.AcceptsMissing(file.Sequence, out var markerPath), markerPath);
        return true;
    }

    /// <summary>Where a log without entries begins.</summary>
    public void BeginAt(long offset) => State = PartitionState.Empty with { NextOffset = offset };

    /// <summary>What comes next is the rest of a page, whose beginning is lost; 0: of none.</summary>
    public void BeginInside(long page) => State = State with { RestOf = page };

    /// <summary>The commit point of one partition's batch; false when another writer was faster.</summary>
    /// <exception cref="PipelineException">
    /// What was committed last is not there any more: what is committed behind it would stand over a gap.
    /// </exception>
    public bool TryAppend(CommitEntry entry)
    {
        Check();
        return log.TryAppend(entry);
    }

    /// <summary>What was committed last is still there.</summary>
    /// <exception cref="PipelineException">It is not.</exception>
    public void Check()
    {
        // A volume that is put back in its place to what it was earlier has the same owner, and none of what was committed since.
        if (!IsNew && (log.WriterOf(newest) is { } own ? own != writer : !log.HasBeyond(newest)))
            throw PutBack($"entry {newest} of its commit log");
        if (State.NewestFile is { } file && !names.Has(file.File.Path) && !log.AcceptsMissing(file.Sequence, out _))
            throw PutBack($"'{LakePath.WithoutValues(file.File.Path)}'");
    }

    // Offsets only ascend but where another generation of them begins.
    private bool IsBehind(CommitEntry entry) =>
        entry.Sequence < newest || (entry.Sequence == newest && entry.Writer != writer)
        || (entry.State.Generation, entry.State.NextOffset).CompareTo((State.Generation, State.NextOffset)) < 0;

    /// <summary>The log has an entry of this number, whoever's it is.</summary>
    public bool Has(CommitEntry entry) => log.Has(entry.Sequence);

    /// <summary>The state that a committed and published entry leaves.</summary>
    public void Adopt(CommitEntry entry) =>
        (newest, writer, State) = (entry.Sequence, entry.Writer, entry.State with { NewestFile = entry.NewestFile ?? NewestFiled() });

    /// <summary>Its files get their final names.</summary>
    public void Name(CommitEntry entry) => names.Give(entry, log.AcceptsMissing(entry.Sequence, out var markerPath), markerPath);

    public void Prune() => log.Prune();

    /// <summary>A human lets the partition go on although Kafka has lost what begins at <paramref name="offset"/>.</summary>
    /// <param name="markerPath">The file whose existence says so.</param>
    public bool AcceptsLoss(long offset, out string markerPath) => log.AcceptsLoss(offset, out markerPath);

    /// <summary>A human knows of so many places at which pages are missing.</summary>
    /// <param name="markerPath">The file whose existence says so.</param>
    public bool AcceptsMissingPages(long places, out string markerPath) => log.AcceptsMissingPages(places, out markerPath);

    // An entry of an earlier version says it of its own files only.
    private NewestFile? NewestFiled() =>
        log.ReadRecent(CommitLog.EntriesKept).Select(e => e.NewestFile).FirstOrDefault(file => file is not null);

    private PipelineException PutBack(string missing) => new(FailureAction.Retry,
        $"What was committed of partition {Partition} is not there any more ({missing}): the lake or its commit log was put back to an "
        + "earlier state, or files were removed.",
        "Both are read anew: what the topic still has is stored again, and what is missing is named.");
}
