using System.Collections.Immutable;
using Confluent.Kafka;
using OrdersStream.Configuration;
using OrdersStream.Kafka;
using OrdersStream.Lake;

namespace OrdersStream.Status;

/// <summary>What the brokers show at one moment.</summary>
/// <param name="Cluster">Brokers and topic.</param>
/// <param name="Ends">Of each partition; empty where there is no topic.</param>
/// <param name="Hidden">What open transactions hide.</param>
internal sealed record TopicObservation(
    ClusterDescription Cluster, ImmutableArray<TopicPartitionEnds> Ends, IReadOnlyList<HiddenEnd> Hidden);

/// <summary>Looks at the topic, and at what of it waits for the lake. It changes nothing, and no group hears of it.</summary>
internal sealed class TopicObserver(PipelineOptions options, TopicAdmin admin, TopicReader topic, TimeProvider time)
{
    /// <summary>Longer than a page of ours hides what is behind it.</summary>
    private static readonly TimeSpan HiddenLeast = TimeSpan.FromSeconds(2);

    private readonly WaitingRecords waiting = new(topic);

    public async Task<TopicObservation> ReadAsync(TimeSpan answerTimeout, CancellationToken cancellationToken)
    {
        var cluster = await admin.DescribeClusterAsync(answerTimeout, cancellationToken);
        var partitions = cluster.Partitions ?? 0;
        // First: a commit is acknowledged before its end shows, and an end from before it is no end.
        var hidden = await topic.HiddenAsync(partitions, HiddenLeast, time, answerTimeout, cancellationToken);
        return new(cluster, await topic.PartitionEndsAsync(partitions, answerTimeout, cancellationToken), hidden);
    }

    public TopicStatus Describe(ClusterDescription? cluster) => new(
        options.Kafka.Topic, options.Kafka.Brokers, cluster is not null, cluster?.Version, cluster?.Brokers,
        cluster is null ? null : cluster.Partitions is not null);

    /// <summary>Each partition with the lake's position in it.</summary>
    /// <param name="observed">The brokers; null: they cannot be asked.</param>
    /// <param name="positions">The lake; null: it cannot be read, and nothing is counted from a position that is not known.</param>
    /// <param name="answerTimeout">How long the first records that wait may take to come.</param>
    /// <param name="cancellationToken">Ends the asking.</param>
    public async Task<ImmutableArray<PartitionStatus>> JoinAsync(
        TopicObservation? observed, ImmutableSortedDictionary<int, StoredPosition>? positions, TimeSpan answerTimeout,
        CancellationToken cancellationToken)
    {
        var ends = (observed?.Ends ?? []).ToDictionary(e => e.Partition);
        var hidden = (observed?.Hidden ?? []).ToDictionary(h => h.Partition);
        var all = ends.Keys.Union(positions?.Keys ?? []).Order()
            .Select(p => Join(p, ends.GetValueOrDefault(p), hidden.GetValueOrDefault(p), positions)).ToList();
        var first = await FirstWaitingAsync(all, answerTimeout, cancellationToken);
        return [.. all.Select(p => !first.TryGetValue(p.Partition, out var record) ? p
            : record is not null ? p with { WaitsSince = TimeOf(record) }
            // What retention took before it was stored still counts.
            : p.Next >= p.Low ? p with { Lag = 0 } : p)];
    }

    private static PartitionStatus Join(
        int partition, TopicPartitionEnds? ends, HiddenEnd? hidden, ImmutableSortedDictionary<int, StoredPosition>? positions)
    {
        var stored = positions?.GetValueOrDefault(partition);
        var next = stored?.NextRecord ?? (positions is null ? null : ends?.Low ?? 0);
        var state = stored?.Newest.State;
        return new PartitionStatus(
            partition, ends?.Low, ends?.High, next, ends is null || next is null ? null : Math.Max(0, ends.High - next.Value),
            state?.Rows ?? 0, state?.Quarantined ?? 0, state?.Files ?? 0, stored?.Newest.CommittedAt, hidden?.Offsets ?? 0);
    }

    /// <summary>
    /// The first record that waits, of each partition where offsets do; null: no record is among them. One that is missing was not told.
    /// </summary>
    private async Task<IReadOnlyDictionary<int, FirstRecord?>> FirstWaitingAsync(
        IReadOnlyList<PartitionStatus> partitions, TimeSpan answerTimeout, CancellationToken cancellationToken)
    {
        var ranges = partitions.Where(p => p.Lag > 0)
            .Select(p => new OffsetRange(p.Partition, Math.Max(p.Next!.Value, p.Low!.Value), p.High!.Value)).ToList();
        using var expiry = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        expiry.CancelAfter(answerTimeout);
        try
        {
            return await waiting.FirstAsync(ranges, expiry.Token);
        }
        catch (Exception e) when (e is KafkaException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return ImmutableDictionary<int, FirstRecord?>.Empty;
        }
    }

    private static DateTimeOffset? TimeOf(FirstRecord record) => record.Timestamp.Type == TimestampType.NotAvailable
        ? null
        : RecordTime.Of(record.Timestamp.UnixTimestampMs);
}
