using Confluent.Kafka;

namespace OrdersStream.Benchmarks.Limits;

/// <summary>
/// All partitions of a topic from the first committed record to the last, thrown away; timed from the first on, when the connections are
/// there.
/// </summary>
internal static class ConsumeLimit
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    public static LimitResult Run(LimitTask task, CancellationToken cancellationToken)
    {
        using var consumer = NewConsumer(task.Brokers!, task.Topic!);
        consumer.Assign(Enumerable.Range(0, task.Partitions).Select(p => new TopicPartitionOffset(task.Topic, p, Offset.Beginning)));
        var (rows, bytes, ends) = (0L, 0L, 0);
        OperationTime? operation = null;
        LimitResult? end = null;
        while (ends < task.Partitions)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var result = consumer.Consume(Patience) ?? throw new BenchmarkException($"no record came for {Patience.TotalSeconds} s");
            if (result.IsPartitionEOF)
            {
                ends++;
                continue;
            }
            operation ??= new();
            bytes += result.Message.Key.Length + result.Message.Value.Length;
            // The ends of the partitions are told by and by, and that is no reading.
            if (++rows >= task.Rows) end = operation.End(rows, bytes);
        }
        return end ?? new(rows, bytes, 0, 0);
    }

    /// <summary>With limits as a pipeline of little memory sets them.</summary>
    public static IConsumer<byte[], byte[]> NewConsumer(string brokers, string topic) =>
        new ConsumerBuilder<byte[], byte[]>(new ConsumerConfig
        {
            BootstrapServers = brokers, GroupId = topic + "-limit", IsolationLevel = IsolationLevel.ReadCommitted, EnableAutoCommit = false,
            EnableAutoOffsetStore = false,
            EnablePartitionEof = true, ConsumeResultFields = "none", FetchQueueBackoffMs = 5, QueuedMaxMessagesKbytes = 16 * 1024,
            QueuedMinMessages = 100_000,
            MaxPartitionFetchBytes = 256 * 1024, FetchWaitMaxMs = 100,
        }).Build();
}
