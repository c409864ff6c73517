using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;
using OrdersStream.Memory;

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
    /// <summary>Files of one batch, whatever their size: a partitioning by many values costs memory per file.</summary>
    private const int FilesMax = 4_096;

    private readonly StoreContext context;
    private readonly DatalakeOptions options;
    private readonly BatchCommit commit;
    private readonly PartitionBatches partitions;
    private readonly OffsetGap gap;
    private readonly Dictionary<int, long> superseded = [];
    private PartitionBatch? last;
    private BatchResult done = BatchResult.Nothing;
    private int files;

    internal LakeBatch(StoreContext context)
    {
        this.context = context;
        options = context.Options;
        commit = new BatchCommit(context);
        partitions = new PartitionBatches(context);
        gap = new OffsetGap(context, partitions);
    }

    /// <summary>Rows and quarantined records that wait for the commit.</summary>
    public long Records { get; private set; }

    /// <summary>Their decoded size.</summary>
    public long Bytes { get; private set; }

    /// <summary>A limit is reached: commit before more is added (invariant 7).</summary>
    public bool IsFull => Bytes >= options.BatchBytes || Records >= options.BatchRows || files >= FilesMax;

    /// <summary>Where a consumer of the partition begins: everything below is in the lake, or waits in this batch.</summary>
    /// <exception cref="PipelineException">Kafka no longer has what comes next.</exception>
    public async Task<long> NextOffsetAsync(int partition, CancellationToken cancellationToken)
    {
        try
        {
            if (!partitions.TryGet(partition, out var batch))
            {
                (batch, var low) = await partitions.OpenNewAsync(partition, cancellationToken);
                return context.Bounds.FirstKept(batch, low);
            }
            if (batch.IsEmpty) partitions.Reload(batch);
            return await context.Bounds.FirstKeptAsync(batch, cancellationToken);
        }
        catch (Exception e) when (NamesPath(e))
        {
            throw context.WithoutValues(e);
        }
    }

    /// <summary>Failures of the file system, whose texts name files of the lake.</summary>
    private static bool NamesPath(Exception e) => e is IOException or UnauthorizedAccessException;

    /// <summary>
    /// Adds one record, each partition's in offset order. Completes at once but for what must be asked of Kafka or Postgres.
    /// </summary>
    public ValueTask AddAsync(in StreamRecord record, CancellationToken cancellationToken)
    {
        if (BegunBatch(record.Partition) is not { } batch || record.Headers is { Count: > 0 })
            return AddFirstAsync(record, cancellationToken);
        try
        {
            if (record.Offset < batch.NextOffset) return DropStored();
            return AddOrFault(batch, in record) is { } fault ? AddFaultyAsync(batch, record, fault, cancellationToken) : default;
        }
        catch
        {
            Abandon();
            throw;
        }
    }

    /// <summary>
    /// Adds an upsert without headers, where no more is to be done than to decode it: its value may lie anywhere, and is not kept.
    /// </summary>
    /// <returns>False: it was not added, and <see cref="AddAsync"/> finds out what else is to be done about it.</returns>
    public bool TryAdd(int partition, long offset, ReadOnlySpan<byte> value)
    {
        if (BegunBatch(partition) is not { } batch || offset < batch.NextOffset) return false;
        var (sizeBefore, filesBefore) = (batch.Bytes, batch.Files.Count);
        try
        {
            if (batch.TryAdd(offset, value) is not null) return false;
        }
        catch
        {
            Abandon();
            throw;
        }
        Added(batch, sizeBefore, filesBefore);
        return true;
    }

    /// <summary>The same for a record with key and value and without headers; false for any other.</summary>
    public bool TryAdd(in StreamRecord record) =>
        record is { Key: not null, Value: { } value, Headers: null or { Count: 0 } } && TryAdd(record.Partition, record.Offset, value);

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
        (Records, Bytes, files) = (0, 0, 0);
        done = BatchResult.Nothing;
    }

    private async Task CommitPartitionsAsync(CancellationToken cancellationToken)
    {
        try
        {
            var committed = await commit.RunAsync([.. partitions.All.Where(b => !b.IsEmpty)], cancellationToken);
            done += committed.Result;
            foreach (var batch in partitions.All) partitions.Restart(batch);
            foreach (var partition in committed.Superseded) superseded[partition] = partitions[partition].NextOffset;
            (Records, Bytes, files) = (0, 0, 0);
        }
        catch
        {
            Abandon();
            throw;
        }
    }

    private async ValueTask AddFirstAsync(StreamRecord record, CancellationToken cancellationToken)
    {
        try
        {
            var batch = await partitions.OpenAsync(record.Partition, cancellationToken);
            if (batch.IsEmpty) await CloseGapAsync(batch, record.Offset, cancellationToken);
            await AddNextAsync(batch, record, cancellationToken);
        }
        catch (Exception e)
        {
            Abandon();
            if (NamesPath(e)) throw context.WithoutValues(e);
            throw;
        }
    }

    // In commits of its own where it is large.
    private async Task CloseGapAsync(PartitionBatch batch, long offset, CancellationToken cancellationToken)
    {
        while (await gap.FindAsync(batch, offset, cancellationToken) is { } missing)
            if (await AddRangeAsync(batch, missing, cancellationToken)) return;
    }

    // False when another instance stored the partition meanwhile: the gap is another one now.
    private async Task<bool> AddRangeAsync(PartitionBatch batch, OffsetRange range, CancellationToken cancellationToken)
    {
        await foreach (var record in context.Topic.ReadRangeAsync(batch.Partition, range.From, range.ToExclusive, cancellationToken))
        {
            await AddNextAsync(batch, record, cancellationToken);
            if (!IsFull) continue;
            await CommitPartitionsAsync(cancellationToken);
            if (superseded.ContainsKey(batch.Partition)) return false;
        }
        return true;
    }

    private async ValueTask AddNextAsync(PartitionBatch batch, StreamRecord record, CancellationToken cancellationToken)
    {
        if (record.Offset < batch.NextOffset)
        {
            _ = DropStored();
            return;
        }
        if (SchemaFinder.FingerprintIn(record.Headers) is { } fingerprint)
        {
            batch.Use(partitions.ShapeOf(fingerprint), isAssumed: false);
        }
        else if (batch.Shape is null)
        {
            var (schema, isAssumed) = await context.Schemas.FindAsync(batch.Partition, record.Offset, cancellationToken);
            batch.Use(partitions.ShapeOf(schema.Fingerprint), isAssumed);
        }
        if (AddOrFault(batch, in record) is { } fault) await AddFaultyAsync(batch, record, fault, cancellationToken);
    }

    private async ValueTask AddFaultyAsync(PartitionBatch batch, StreamRecord record, string fault, CancellationToken cancellationToken)
    {
        try
        {
            if (batch.IsAssumed && await TryNewerSchemaAsync(batch, record, cancellationToken)) return;
        }
        catch
        {
            Abandon();
            throw;
        }
        var (sizeBefore, filesBefore) = (batch.Bytes, batch.Files.Count);
        batch.AddToQuarantine(in record, fault);
        Added(batch, sizeBefore, filesBefore);
    }

    // A producer that names no schema may have changed the shape of its records along with the table.
    private async Task<bool> TryNewerSchemaAsync(PartitionBatch batch, StreamRecord record, CancellationToken cancellationToken)
    {
        var assumed = batch.Shape!;
        if (await context.Schemas.FindNewerAsync(assumed.Schema, batch.Partition, record.Offset, cancellationToken) is not { } newer)
            return false;
        batch.Use(partitions.ShapeOf(newer.Fingerprint), isAssumed: true);
        if (AddOrFault(batch, in record) is null) return true;
        batch.Use(assumed, isAssumed: true);
        return false;
    }

    private string? AddOrFault(PartitionBatch batch, in StreamRecord record)
    {
        var (sizeBefore, filesBefore) = (batch.Bytes, batch.Files.Count);
        if (batch.TryAdd(in record) is { } fault) return fault;
        Added(batch, sizeBefore, filesBefore);
        return null;
    }

    private void Added(PartitionBatch batch, long sizeBefore, int filesBefore)
    {
        // On its way into a column it went through arrays that grew for it.
        if (batch.Bytes - sizeBefore < int.MaxValue) LargeAllocations.Count((int)(batch.Bytes - sizeBefore));
        Bytes += batch.Bytes - sizeBefore;
        files += batch.Files.Count - filesBefore;
        Records++;
    }

    /// <summary>The partition's batch, where it has records and a schema already.</summary>
    private PartitionBatch? BegunBatch(int partition)
    {
        var batch = last is not null && last.Partition == partition ? last : partitions.TryGet(partition, out var open) ? open : null;
        return batch is null || batch.IsEmpty || batch.Shape is null ? null : last = batch;
    }

    private ValueTask DropStored()
    {
        done = done with { AlreadyStored = done.AlreadyStored + 1 };
        return default;
    }
}
