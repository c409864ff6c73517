using OrdersStream.Diagnostics;
using OrdersStream.Kafka;
using OrdersStream.Lake.Files;

namespace OrdersStream.Lake;

/// <summary>Records that retention took before they were stored: nobody goes on behind them unless somebody says so.</summary>
internal static class LostRecords
{
    /// <summary>What storing stops with.</summary>
    /// <param name="topic">The topic's name.</param>
    /// <param name="partition">Its partition.</param>
    /// <param name="nextRecord">The lake has all below it.</param>
    /// <param name="low">The first offset that Kafka keeps.</param>
    /// <param name="markerPath">The file by which the loss is accepted.</param>
    public static PipelineException Of(string topic, int partition, long nextRecord, long low, string markerPath) => new(FailureAction.Stop,
        $"Kafka no longer has {low - nextRecord} offsets of topic '{topic}', partition {partition}: "
        + $"the lake has all below {nextRecord}, Kafka keeps from {low} on.",
        $"To go on without them, create the empty file '{markerPath}' (and its folder, if there is none yet). "
        + "Their rows come back when they change once more, "
        + "or by a new stream (docs/operations.md). Raise the topic's retention so that it outlasts an outage.");

    /// <summary>Looks whether storing would stop so, for who does not store.</summary>
    /// <param name="commits">The lake's commit log; of a partition without an entry it does not tell.</param>
    /// <param name="ends">The topic's.</param>
    /// <exception cref="PipelineException">It would; or the log cannot be read.</exception>
    public static void Check(TopicCommits commits, IEnumerable<TopicPartitionEnds> ends)
    {
        var positions = commits.NewestEntries().ToDictionary(e => e.Partition, StoredPosition.Of);
        foreach (var end in ends)
        {
            if (!positions.TryGetValue(end.Partition, out var stored) || stored.NextRecord >= end.Low) continue;
            var log = commits.LogOf(end.Partition, TimeProvider.System, Durable.CrashPoints.None);
            if (!log.AcceptsLoss(stored.NextRecord, out var markerPath))
                throw Of(commits.Topic.Topic, end.Partition, stored.NextRecord, end.Low, markerPath);
        }
    }
}
