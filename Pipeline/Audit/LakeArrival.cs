using System.Collections.Immutable;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.Lake.Files;

namespace OrdersStream.Audit;

/// <summary>
/// Whether what was in the topic at some moment is in the lake by now: before, its absence there says nothing.
/// </summary>
/// <param name="options">The stream's configuration.</param>
/// <param name="admin">Describes the topic.</param>
/// <param name="topic">Tells the topic's ends.</param>
/// <param name="openFiles">Opens where the commit log lies.</param>
/// <param name="time">The clock.</param>
internal sealed class LakeArrival(
    PipelineOptions options, TopicAdmin admin, TopicReader topic, Func<string, ILakeFiles> openFiles, TimeProvider time)
{
    /// <summary>Between two looks.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    /// <summary>Waits until all that is in the topic when it is called is in the lake.</summary>
    /// <param name="patience">How long, for what hides the topic's end, and then for the lake.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="PipelineException">It has not come.</exception>
    public async Task WaitAsync(TimeSpan patience, CancellationToken cancellationToken)
    {
        var awaited = await LookAsync(patience, cancellationToken);
        for (var begun = time.GetTimestamp(); ;)
        {
            var behind = await BehindAsync(awaited, cancellationToken);
            if (behind == 0) return;
            if (time.GetElapsedTime(begun) > patience)
                throw new PipelineException(FailureAction.Stop,
                    $"The lake is behind the topic in {behind} partitions, and has not caught up within {patience.TotalSeconds:0} s.",
                    "Run KafkaToLake until it has (run --only kafka-to-lake --once), then compare again.");
            await Task.Delay(Pause, time, cancellationToken);
        }
    }

    /// <summary>What is in the topic now.</summary>
    public async Task<AwaitedEnds> LookAsync(TimeSpan patience, CancellationToken cancellationToken)
    {
        // Without the topic nothing is awaited, and what is missing from the lake would seem to be lost.
        var partitions = (await admin.DescribeClusterAsync(KafkaClients.AnswerTimeout, cancellationToken)).Partitions
            ?? throw new PipelineException(FailureAction.Retry,
                $"Topic '{options.Kafka.Topic}' is not there, so lake and table cannot be compared.",
                "Check kafka.topic and kafka.brokers, and that the login may describe the topic.");
        // First: a commit is acknowledged before its end shows, and an end from before it is no end.
        if (await topic.HiddenAsync(partitions, patience, time, KafkaClients.AnswerTimeout, cancellationToken) is [var hidden, ..])
            throw new PipelineException(hidden.ToVerdict(options.Kafka.Topic));
        var ends = await topic.PartitionEndsAsync(partitions, KafkaClients.AnswerTimeout, cancellationToken);
        return new AwaitedEnds(ends, new WaitingRecords(topic));
    }

    /// <returns>In how many partitions the lake does not have it yet.</returns>
    public async Task<int> BehindAsync(AwaitedEnds awaited, CancellationToken cancellationToken)
    {
        var now = TopicCommits.Positions(openFiles(options.Streaming.CheckpointLocation), options.Kafka.Topic);
        var lake = openFiles(options.Datalake.Path);
        var behind = 0;
        foreach (var e in awaited.Ends)
        {
            var stored = now.GetValueOrDefault(e.Partition);
            var next = stored?.NextRecord ?? e.Low;
            // What lies below the first offset kept was lost, and does not come any more.
            var isBehind = next < e.Low
                || (next < e.High && await awaited.Waiting.AreThereAsync(e.Partition, next, e.High, cancellationToken))
                || (stored is not null && stored.Newest.AllFiles.Any(file => IsUnnamed(file, lake)));
            if (isBehind) behind++;
        }
        return behind;
    }

    // Committed, and not visible yet: who commits names its files next, or whoever comes after.
    private static bool IsUnnamed(CommittedFile file, ILakeFiles lake) => lake.Has(file.TemporaryPath) && !lake.Has(file.Path);
}

/// <summary>What was in the topic at some moment.</summary>
/// <param name="Ends">Of each partition.</param>
/// <param name="Waiting">Knows what was found between the lake's position and them.</param>
internal sealed record AwaitedEnds(ImmutableArray<TopicPartitionEnds> Ends, WaitingRecords Waiting);
