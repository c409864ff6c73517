using Microsoft.Extensions.Logging;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.Rows;

namespace OrdersStream;

/// <summary>What became of one batch.</summary>
/// <param name="Rows">Rows written to Parquet.</param>
/// <param name="Quarantined">Records put into quarantine.</param>
/// <param name="AlreadyStored">Records below the log's next offset: redelivered, dropped.</param>
/// <param name="Files">Parquet files that became visible.</param>
/// <param name="Bytes">Their size on disk.</param>
/// <param name="Duration">Time for the whole batch.</param>
public sealed record BatchResult(long Rows, long Quarantined, long AlreadyStored, int Files, long Bytes, TimeSpan Duration)
{
    public static BatchResult Nothing { get; } = new(0, 0, 0, 0, 0, TimeSpan.Zero);

    public static BatchResult operator +(BatchResult left, BatchResult right) => new(
        left.Rows + right.Rows, left.Quarantined + right.Quarantined, left.AlreadyStored + right.AlreadyStored,
        left.Files + right.Files, left.Bytes + right.Bytes, left.Duration + right.Duration);
}

/// <summary>
/// The storing half: decode -> drop what is stored -> write -> commit. One instance serves one process; batches that are
/// delivered at the same time are stored one after the other.
/// </summary>
public sealed class KafkaToLake : IDisposable
{
    private readonly LakeStorage storage;
    private readonly LakeBatch batch;
    private readonly SemaphoreSlim oneAtATime = new(1);

    /// <param name="topic">The topic whose records these are.</param>
    /// <param name="presentSchema">The table's schema as it is now, for topics whose records name none; null where Postgres cannot be asked.</param>
    /// <exception cref="PipelineException">The checkpoint belongs to another topic.</exception>
    public KafkaToLake(
        PipelineOptions options, TopicAccess topic, Func<CancellationToken, Task<TableSchema>>? presentSchema,
        TimeProvider time, CrashPoints crashPoints, PipelineMetrics metrics, ILogger<KafkaToLake> logger)
    {
        storage = new LakeStorage(options, topic, presentSchema, time, crashPoints, metrics, logger);
        batch = NewBatch();
    }

    /// <summary>For a host that collects record by record: a batch of its own, beside that of <see cref="StoreAsync"/>.</summary>
    public LakeBatch NewBatch() => new(storage);

    /// <summary>Where a consumer of the partition begins: everything below is in the lake.</summary>
    /// <exception cref="PipelineException">Kafka no longer has what comes next, or the log cannot be used.</exception>
    public async Task<long> NextOffsetAsync(int partition, CancellationToken cancellationToken)
    {
        await oneAtATime.WaitAsync(cancellationToken);
        try
        {
            return await batch.NextOffsetAsync(partition, cancellationToken);
        }
        finally
        {
            oneAtATime.Release();
        }
    }

    /// <summary>
    /// Stores one delivered batch: any mix of partitions, each in offset order, gaps allowed, redelivery allowed.
    /// On return every record is durable in the lake, as a row or in quarantine.
    /// </summary>
    public async Task<BatchResult> StoreAsync(IReadOnlyList<StreamRecord> records, CancellationToken cancellationToken)
    {
        await oneAtATime.WaitAsync(cancellationToken);
        try
        {
            var begun = storage.Time.GetTimestamp();
            var result = BatchResult.Nothing;
            // Another instance that stored some of it meanwhile leaves the rest to be added again: what is stored is dropped then.
            while (true)
            {
                var (stored, isAll) = await StoreOnceAsync(records, cancellationToken);
                // What an earlier round stored is met again, and dropped, by the next.
                result += stored with { AlreadyStored = isAll ? Math.Max(0, stored.AlreadyStored - result.Rows - result.Quarantined) : 0 };
                if (isAll) return result with { Duration = storage.Time.GetElapsedTime(begun) };
            }
        }
        finally
        {
            oneAtATime.Release();
        }
    }

    public void Dispose() => oneAtATime.Dispose();

    private async Task<(BatchResult Result, bool IsAll)> StoreOnceAsync(IReadOnlyList<StreamRecord> records, CancellationToken cancellationToken)
    {
        var result = BatchResult.Nothing;
        // By index: the host's list makes a record when it is asked for it, and most need no more than one look.
        for (var i = 0; i < records.Count; i++)
        {
            if (!batch.TryAdd(records[i])) await batch.AddAsync(records[i], cancellationToken);
            if (!batch.IsFull) continue;
            var full = await batch.CommitAsync(cancellationToken);
            result += full.Result;
            if (full.Superseded.Count > 0) return (result, false);
        }
        var outcome = await batch.CommitAsync(cancellationToken);
        result += outcome.Result;
        return (result, outcome.Superseded.Count == 0);
    }
}
