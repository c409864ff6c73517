using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.Rows;

namespace OrdersStream.Store;

/// <summary>What a commit did.</summary>
/// <param name="Result">Rows, files and the like since the last commit.</param>
/// <param name="Superseded">
/// Partitions that another instance stored meanwhile, and the next offset of each: their records from that offset on must be
/// added again.
/// </param>
public sealed record CommitOutcome(BatchResult Result, IReadOnlyDictionary<int, long> Superseded);

/// <summary>
/// A batch that grows record by record and is committed as a whole; used again after each commit. A record is decoded as
/// it is added, so its raw bytes need not be kept. After an exception the batch is empty: deliver again from
/// <see cref="NextOffsetAsync"/>. For one caller at a time; two batches are kept apart by the commit log, like two processes.
/// </summary>
public sealed class LakeBatch
{
    private readonly StoreContext context;
    private readonly bool readsInOrder;
    private readonly DatalakeOptions options;
    private readonly BatchCommit commit;
    private readonly PartitionBatches partitions;
    private readonly BatchTotals totals = new();
    private readonly PageAssembler pages;
    private readonly FilesLimit filesLimit;
    private readonly OffsetGap gap;
    private readonly Dictionary<int, long> superseded = [];
    private PartitionBatch? last;
    private long checkedAt;
    private BatchResult done = BatchResult.Nothing;

    /// <param name="context">Topic, lake, commit log.</param>
    /// <param name="readsInOrder">Records come from a consumer that leaves out nothing; else a gap may be anywhere.</param>
    internal LakeBatch(StoreContext context, bool readsInOrder = false)
    {
        this.context = context;
        this.readsInOrder = readsInOrder;
        options = context.Options;
        commit = new BatchCommit(context);
        partitions = new PartitionBatches(context);
        pages = new PageAssembler(context, partitions, totals);
        filesLimit = new FilesLimit(context, partitions);
        gap = new OffsetGap(context, partitions);
        checkedAt = context.Time.GetTimestamp();
    }

    /// <summary>Rows and quarantined records that wait for the commit.</summary>
    public long Records => totals.Records;

    /// <summary>Their decoded size.</summary>
    public long Bytes => totals.Bytes;

    /// <summary>A limit is reached: commit before more is added (invariant 7).</summary>
    public bool IsFull => Bytes >= options.BatchBytes || Records >= options.BatchRows || filesLimit.IsReached(totals.Files);

    /// <summary>To be called before partitions are opened that were not there so far.</summary>
    public void PartitionsCome() => context.Recovery.ListAnew();

    /// <summary>
    /// What was committed last of each partition is still there, where the last look is so long ago: a lake or a log that was put back is
    /// news also while nothing is to be committed.
    /// </summary>
    /// <exception cref="PipelineException">It is not.</exception>
    public void CheckWhenDue(TimeSpan interval)
    {
        if (context.Time.GetElapsedTime(checkedAt) < interval) return;
        checkedAt = context.Time.GetTimestamp();
        try
        {
            foreach (var batch in partitions.All) batch.Stored.Check();
        }
        catch (Exception e) when (NamesPath(e))
        {
            throw context.WithoutValues(e);
        }
    }

    /// <summary>Where a consumer of the partition begins: everything below is in the lake, or waits in this batch.</summary>
    /// <exception cref="PipelineException">Kafka no longer has what comes next.</exception>
    public async Task<long> NextOffsetAsync(int partition, CancellationToken cancellationToken)
    {
        try
        {
            if (!partitions.TryGet(partition, out var batch))
            {
                (batch, var low) = await partitions.OpenNewAsync(partition, cancellationToken);
                return GoOnAt(batch, context.Bounds.FirstKept(batch, low));
            }
            if (batch.IsEmpty) partitions.Reload(batch);
            return GoOnAt(batch, await context.Bounds.FirstKeptAsync(batch, cancellationToken));
        }
        catch (Exception e) when (NamesPath(e))
        {
            throw context.WithoutValues(e);
        }
    }

    // A loss that is accepted is written down at once: in a partition to which nothing comes any more, what is gone would wait for ever.
    private long GoOnAt(PartitionBatch batch, long first)
    {
        if (first <= batch.NextRecord || batch.HasNews || batch.Receiver.Open is not null) return first;
        context.Bounds.PassOver(batch.Stored, first, context.NewWriterId());
        partitions.Restart(batch);
        return Math.Max(first, batch.NextOffset);
    }

    /// <summary>Failures of the file system, whose texts name files of the lake.</summary>
    private static bool NamesPath(Exception e) => e is IOException or UnauthorizedAccessException;

    /// <summary>
    /// Adds one record, each partition's in offset order. Completes at once but for what must be asked of Kafka or Postgres.
    /// </summary>
    public ValueTask AddAsync(in StreamRecord record, CancellationToken cancellationToken) =>
        TryAdd(in record) ? default : AddSlowlyAsync(record, cancellationToken);

    /// <summary>
    /// Adds an upsert with key and value and without headers, where no more is to be done than to decode it or to keep it until its page is
    /// whole: it may lie anywhere.
    /// </summary>
    /// <returns>False: it was not added, and <see cref="AddAsync"/> finds out what else is to be done about it.</returns>
    public bool TryAdd(int partition, long offset, long timestampMs, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        if (BegunBatch(partition) is not { } batch || offset < batch.NextOffset || IsGap(batch, offset, false)) return false;
        try
        {
            if (batch.Receiver.Open is { } part)
            {
                if (partitions.IsToGiveUp(part)) return false;
                part.Hold(offset, timestampMs, key, value);
                batch.Taken(offset);
                return true;
            }
            if (batch.Shape is null) return false;
            var (sizeBefore, filesBefore) = (batch.Bytes, batch.Files.Count);
            if (batch.TryAddRow(offset, timestampMs, value, RowOp.Upsert, batch.Version) is not null) return false;
            batch.Decided(offset, endsTransaction: false);
            totals.Add(batch, sizeBefore, filesBefore, 1);
            return true;
        }
        catch
        {
            Abandon();
            throw;
        }
    }

    /// <summary>The same for a record with key and value and without headers; false for any other.</summary>
    public bool TryAdd(in StreamRecord record) =>
        record is { Key: { } key, Value: { } value, Headers: null or { Count: 0 } }
        && TryAdd(record.Partition, record.Offset, record.TimestampMs, key, value);

    /// <summary>From where on records of the partition wait for the rest of their page; null: none does.</summary>
    public long? WaitingFrom(int partition) =>
        partitions.TryGet(partition, out var batch) && batch.DecidedOffset < batch.NextOffset ? batch.DecidedOffset : null;

    /// <summary>A consumer has read all below an offset: what lies before it, other than records, is passed over, too.</summary>
    public void EndReached(int partition, long offset)
    {
        // Only behind a record that was found to be the next one: the end may be told of where the reading stood before.
        if (partitions.TryGet(partition, out var batch) && batch is { IsBegun: true, Receiver.Open: null } && offset > batch.NextRecord)
            batch.Decided(offset - 1, endsTransaction: false);
    }

    /// <summary>There is something to commit, if only how far nothing else came.</summary>
    public bool HasNews => partitions.All.Any(b => b.HasNews);

    /// <summary>Partitions that went to another instance; what of them is committed stays.</summary>
    public void Forget(IEnumerable<int> gone)
    {
        foreach (var partition in gone)
        {
            partitions.Close(partition);
            if (last?.Partition == partition) last = null;
        }
    }

    /// <summary>Partitions in which a page is not whole yet.</summary>
    public int OpenPages => partitions.All.Count(b => b.Receiver.Open is not null);

    /// <summary>Looks whether the brokers still have what they had of each partition; it may go on beside what else is done.</summary>
    /// <returns>
    /// A partition of which they have another log than the lake knows, null: none is seen; and whether what one has is hidden, so that
    /// nobody can tell.
    /// </returns>
    public async Task<(int? Lost, bool IsHidden)> FindLostEndAsync(CancellationToken cancellationToken)
    {
        var known = partitions.All.Select(b => (b.Partition, b.Stored.State)).ToList();
        // Who waits for partitions has none of which they could answer.
        if (known.Count == 0) await context.Topic.OffsetsAsync(0, cancellationToken);
        var isHidden = false;
        foreach (var (partition, state) in known)
        {
            var hasLost = await context.Bounds.HasLostEndAsync(partition, state, cancellationToken);
            if (hasLost == true) return (partition, isHidden);
            isHidden |= hasLost is null;
        }
        return (null, isHidden);
    }

    /// <summary>
    /// Writes what was added and commits it, per partition. On return it is durable, but for the partitions that were superseded.
    /// </summary>
    public async Task<CommitOutcome> CommitAsync(CancellationToken cancellationToken)
    {
        var begun = context.Time.GetTimestamp();
        try
        {
            await CommitPartitionsAsync(cancellationToken);
        }
        catch (Exception e) when (NamesPath(e))
        {
            throw context.WithoutValues(e);
        }
        done = done with { AlreadyStored = done.AlreadyStored + totals.TakeAlreadyStored() };
        if (done.AlreadyStored > 0) context.Logger.DeliveredAgain(done.AlreadyStored);
        // Of a gap that was closed in commits of its own, too.
        if (done != BatchResult.Nothing)
            context.Metrics.Stored(
                done.Rows, done.Quarantined, done.AlreadyStored, done.Files, done.Bytes, context.Time.GetElapsedTime(begun));
        var outcome = new CommitOutcome(done, new Dictionary<int, long>(superseded));
        done = BatchResult.Nothing;
        superseded.Clear();
        return outcome;
    }

    /// <summary>Gives up what was added and not committed; the commit log is read anew.</summary>
    public void Abandon()
    {
        partitions.Close();
        superseded.Clear();
        last = null;
        totals.Clear();
        _ = totals.TakeAlreadyStored();
        done = BatchResult.Nothing;
    }

    private async Task CommitPartitionsAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (filesLimit.IsReached(totals.Files)) filesLimit.Report(totals.Files, Records);
            foreach (var batch in partitions.All.Where(b => b.HasNews)) CountDropped(batch);
            var committed = await commit.RunAsync([.. partitions.All.Where(b => b.HasNews)], cancellationToken);
            done += committed.Result;
            foreach (var batch in partitions.All) batch.Continue();
            foreach (var partition in committed.Superseded)
            {
                partitions.Restart(partitions[partition]);
                superseded[partition] = partitions[partition].NextOffset;
            }
            totals.Clear();
        }
        catch
        {
            Abandon();
            throw;
        }
    }

    private async ValueTask AddSlowlyAsync(StreamRecord record, CancellationToken cancellationToken)
    {
        try
        {
            var batch = await partitions.OpenAsync(record.Partition, cancellationToken);
            var beginsPage = BeginsPage(in record);
            if (!batch.IsBegun || IsGap(batch, record.Offset, beginsPage))
                await CloseGapAsync(batch, record.Offset, beginsPage, cancellationToken);
            batch.IsBegun = true;
            await pages.AddAsync(batch, record, cancellationToken);
        }
        catch (Exception e)
        {
            Abandon();
            if (NamesPath(e)) throw context.WithoutValues(e);
            throw;
        }
    }

    // Whoever delivers may leave something out anywhere; a consumer of one's own reads on from where it was told to begin.
    private bool IsGap(PartitionBatch batch, long offset, bool beginsPage) => !readsInOrder && OffsetGap.Is(batch, offset, beginsPage);

    private static bool BeginsPage(in StreamRecord record)
    {
        var begins = false;
        foreach (var header in record.Headers ?? [])
        {
            // What is sent again from quarantine names its schema, too.
            if (header.Name == StreamHeader.Replay) return false;
            // By its name alone the header may be another producer's, whose record follows no marker of ours.
            begins |= header is { Name: StreamHeader.Schema, Value: { } value } && SchemaStore.IsFingerprint(value);
        }
        return begins;
    }

    // In commits of its own where it is large.
    private async Task CloseGapAsync(PartitionBatch batch, long offset, bool beginsPage, CancellationToken cancellationToken)
    {
        while (await gap.FindAsync(batch, offset, beginsPage, cancellationToken) is { } missing)
            if (await AddRangeAsync(batch, missing, cancellationToken)) return;
    }

    // False when another instance stored the partition meanwhile: the gap is another one now.
    private async Task<bool> AddRangeAsync(PartitionBatch batch, OffsetRange range, CancellationToken cancellationToken)
    {
        await foreach (var record in context.Topic.ReadDeliveredAsync(batch.Partition, range.From, range.To, cancellationToken))
        {
            await pages.AddAsync(batch, record, cancellationToken);
            if (!IsFull) continue;
            await CommitPartitionsAsync(cancellationToken);
            if (superseded.ContainsKey(batch.Partition)) return false;
        }
        return true;
    }

    // Once a commit: late records come one by one.
    private void CountDropped(PartitionBatch batch)
    {
        var dropped = batch.Receiver.TakeDropped();
        if (dropped == default) return;
        batch.Dropped += dropped.Records + dropped.LateRecords;
        if (dropped is not { Records: 0, RepeatedPages: 0, UnfinishedPages: 0 })
            context.Logger.PagesDropped(batch.Partition, dropped.Records, dropped.RepeatedPages, dropped.UnfinishedPages);
        if (dropped.LateRecords > 0) context.Logger.LateRecordsDropped(batch.Partition, dropped.LateRecords, batch.Page);
        context.Metrics.PagesDropped(dropped.RepeatedPages, dropped.UnfinishedPages, dropped.Records + dropped.LateRecords);
    }

    /// <summary>The partition's batch, where its first record was found to be the next one.</summary>
    private PartitionBatch? BegunBatch(int partition)
    {
        var batch = last is not null && last.Partition == partition ? last : partitions.TryGet(partition, out var open) ? open : null;
        return batch is { IsBegun: true } ? last = batch : null;
    }
}
