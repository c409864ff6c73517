using System.Diagnostics;
using Confluent.Kafka;
using OrdersStream.Diagnostics;

namespace OrdersStream.Kafka;

/// <summary>
/// Reads one partition after the other, record by record. A leader that is away says nothing, and the client waits for it without end; here
/// that ends in a failure that names the cause, for those who hold something meanwhile that others wait for.
/// </summary>
internal sealed class ReadingClient(IConsumer<byte[], byte[]> consumer, ClientErrors errors)
{
    /// <summary>The largest record takes a while on a slow line.</summary>
    internal static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan TurnMax = TimeSpan.FromMilliseconds(100);

    private readonly SortedDictionary<int, TopicPartitionOffset> open = [];

    /// <summary>Goes on with another stretch.</summary>
    public void Begin(TopicPartition partition, long from) => Begin([new TopicPartitionOffset(partition, from)]);

    /// <summary>Goes on with a stretch of each of several partitions, in whatever order they come.</summary>
    public void Begin(IReadOnlyList<TopicPartitionOffset> stretches)
    {
        open.Clear();
        foreach (var stretch in stretches) open[stretch.Partition.Value] = stretch;
        consumer.Assign(stretches);
    }

    /// <summary>
    /// Enough came of that partition: what else comes, while others still have to answer, is passed over, and is no sign of life. To pause
    /// it would spare that, and the client dies of it.
    /// </summary>
    public void End(int partition) => open.Remove(partition);

    /// <summary>The next record, or the partition's end.</summary>
    /// <exception cref="KafkaException">None came for long, or another failure.</exception>
    public ConsumeResult<byte[], byte[]> Next(CancellationToken cancellationToken) => Next(Patience, cancellationToken);

    internal ConsumeResult<byte[], byte[]> Next(TimeSpan patience, CancellationToken cancellationToken)
    {
        var begun = Stopwatch.GetTimestamp();
        KafkaException? failure = null;
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                if (consumer.Consume(TurnMax) is { } next && open.ContainsKey(next.Partition.Value)) return next;
            }
            catch (KafkaException e) when (KafkaClients.IsNoAnswerYet(e))
            {
                failure = e;
            }
            if (errors.Refusal is null && Stopwatch.GetElapsedTime(begun) < patience) continue;
            failure ??= new KafkaException(ErrorCode.Local_TimedOut);
            var waiting = open.Values.First();
            throw errors.CauseOf(failure) ?? new UnreachableBrokerException(failure,
                $"Kafka failed: nothing came of topic '{waiting.Topic}', partition {waiting.Partition.Value}, from offset "
                + $"{waiting.Offset.Value} on, for {patience.TotalSeconds:0} s.",
                "Check that the partition has a leader and that its broker can be reached.");
        }
    }
}
