using Microsoft.Extensions.Logging;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;
using OrdersStream.Lake;

namespace OrdersStream.Store;

/// <summary>
/// What Kafka still has must reach down to what the lake has. Where it does not, records are gone, and storing stops
/// until a human decides: it never skips (invariants 3 and 6).
/// </summary>
internal sealed class TopicBounds(TopicAccess topic, TimeProvider time, ILogger logger)
{
    private const int EndRetries = 5;
    private static readonly TimeSpan EndRetryDelay = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Compares a partition's log with the topic, once, before its first record is taken. The first offset that Kafka keeps.
    /// </summary>
    public async Task<long> OpenAsync(StoredPartition stored, CancellationToken cancellationToken)
    {
        var (low, high) = await topic.OffsetsAsync(stored.Partition, cancellationToken);
        if (stored.IsNew)
        {
            if (low > 0) logger.LakeBeginsAt(stored.Partition, low, low);
            stored.BeginAt(low);
            return low;
        }
        // After a change of leader the end may lag for a moment.
        for (var retry = 0; high < stored.State.NextOffset && retry < EndRetries; retry++)
        {
            await Task.Delay(EndRetryDelay, time, cancellationToken);
            (_, high) = await topic.OffsetsAsync(stored.Partition, cancellationToken);
        }
        return high >= stored.State.NextOffset ? low : throw TopicShrank(stored, high);
    }

    /// <summary>The first offset that is missing in the lake and that Kafka still has.</summary>
    /// <exception cref="PipelineException">Records between are gone, and nobody accepted that.</exception>
    public async Task<long> FirstKeptAsync(PartitionBatch batch, CancellationToken cancellationToken)
    {
        var (low, _) = await topic.OffsetsAsync(batch.Partition, cancellationToken);
        return FirstKept(batch, low);
    }

    /// <summary>The same, where <paramref name="low"/>, the first offset that Kafka keeps, is known.</summary>
    public long FirstKept(PartitionBatch batch, long low)
    {
        if (low > batch.NextRecord)
        {
            if (!batch.Stored.AcceptsLoss(batch.NextRecord, out var markerPath))
                throw Lost(batch.Partition, batch.NextRecord, low, markerPath);
            logger.LossAccepted(batch.Partition, low - batch.NextRecord, batch.NextRecord, low, markerPath);
        }
        return Math.Max(low, batch.NextOffset);
    }

    private PipelineException Lost(int partition, long nextRecord, long low, string markerPath) => new(FailureAction.Stop,
        $"Kafka no longer has {low - nextRecord} offsets of topic '{topic.Identity.Topic}', partition {partition}: "
        + $"the lake has all below {nextRecord}, Kafka keeps from {low} on.",
        $"To go on without them, create the empty file '{markerPath}'. To get their rows back then, "
        + "move the watermark file in streaming.last_processed_timestamp_location away: "
        + "the table is loaded and published anew. Raise the topic's retention so that it outlasts an outage.");

    private PipelineException TopicShrank(StoredPartition stored, long high) => new(FailureAction.Stop,
        $"Topic '{topic.Identity.Topic}', partition {stored.Partition}, ends at offset {high}, "
        + $"but the lake has all below {stored.State.NextOffset}.",
        "The topic was deleted and made anew, or lost its end. "
        + "Give it a new streaming.checkpoint_location and datalake.path, or move both folders away; nothing was changed.");
}
