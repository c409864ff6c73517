using Confluent.Kafka;

namespace OrdersStream.Benchmarks.Limits;

/// <summary>
/// Records as fast as the client takes them: transactions of 50,000, lz4, partition given, no headers, no delivery reports. They are
/// real ones, the same 50,000 again and again: the client compresses a batch by itself, so it gains nothing from that.
/// </summary>
internal static class ProduceLimit
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public static LimitResult Run(LimitTask task, CancellationToken cancellationToken)
    {
        var records = SampleRecords.Read(task.File!);
        using var producer = new ProducerBuilder<byte[], byte[]>(new ProducerConfig
        {
            BootstrapServers = task.Brokers, TransactionalId = task.Topic, EnableIdempotence = true, Acks = Acks.All,
            EnableDeliveryReports = false,
            CompressionType = CompressionType.Lz4, LingerMs = 5, BatchSize = 1024 * 1024, BatchNumMessages = 10_000,
            QueueBufferingMaxKbytes = 64 * 1024, QueueBufferingMaxMessages = 10_000_000,
        }).Build();
        producer.InitTransactions(Patience);
        var partitions = Enumerable.Range(0, task.Partitions).Select(p => new TopicPartition(task.Topic, p)).ToArray();
        var message = new Message<byte[], byte[]>();
        var operation = new OperationTime();
        var (rows, bytes) = (0L, 0L);
        while (rows < task.Rows)
        {
            cancellationToken.ThrowIfCancellationRequested();
            producer.BeginTransaction();
            for (var i = 0; i < records.Count && rows < task.Rows; i++, rows++)
            {
                (message.Key, message.Value) = (records[i].Key!, records[i].Value!);
                bytes += message.Key.Length + message.Value.Length;
                Produce(producer, partitions[records[i].Partition], message);
            }
            producer.CommitTransaction(Patience);
        }
        return operation.End(rows, bytes);
    }

    private static void Produce(IProducer<byte[], byte[]> producer, TopicPartition partition, Message<byte[], byte[]> message)
    {
        while (true)
        {
            try
            {
                producer.Produce(partition, message);
                return;
            }
            catch (ProduceException<byte[], byte[]> e) when (e.Error.Code == ErrorCode.Local_QueueFull)
            {
                producer.Poll(TimeSpan.FromMilliseconds(10));
            }
        }
    }
}
