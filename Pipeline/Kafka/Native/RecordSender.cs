using Confluent.Kafka;
using OrdersStream.Configuration;
using OrdersStream.Memory;

namespace OrdersStream.Kafka.Native;

/// <summary>
/// Sends records to the topic, each partition's in the order in which they are given. One without headers, as nearly all are, is read
/// where it lies (<see cref="OutgoingRecords"/>); one with headers takes an ordinary <c>Produce</c>, and so does every one where
/// Confluent.Kafka is not as it is known here.
/// </summary>
internal sealed class RecordSender : IDisposable
{
    private static readonly TimeSpan WaitForRoom = TimeSpan.FromMilliseconds(50);

    private readonly IProducer<byte[], byte[]> producer;
    private readonly TopicPartition[] partitions;
    private readonly OutgoingRecords? outgoing;
    private readonly bool isTransactional;
    private readonly Dictionary<int, long> ends = [];
    private Error? failure;

    /// <param name="producer">Whose records they are.</param>
    /// <param name="options">Name the topic. It is there: a client that knows one asks for it, and many brokers then make it.</param>
    /// <param name="partitions">How many it has.</param>
    public RecordSender(IProducer<byte[], byte[]> producer, KafkaOptions options, int partitions)
    {
        this.producer = producer;
        isTransactional = options.IsTransactional;
        this.partitions = [.. Enumerable.Range(0, partitions).Select(p => new TopicPartition(options.Topic, p))];
        if (Librdkafka.Of(producer.Handle, options) is { } native) outgoing = new OutgoingRecords(native, options.Topic);
    }

    /// <summary>Partitions of the topic.</summary>
    public int Partitions => partitions.Length;

    /// <summary>
    /// The next record of its partition. It may be read where it lies until its transaction has ended, or the producer is disposed of.
    /// </summary>
    /// <param name="partition">Which one.</param>
    /// <param name="key">In memory that does not move.</param>
    /// <param name="value">In memory that does not move.</param>
    /// <param name="headers">Null: it has none.</param>
    /// <exception cref="KafkaException">A record was refused: this one, or one before it.</exception>
    public void Send(int partition, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, Headers? headers)
    {
        if (headers is null && outgoing is not null)
        {
            outgoing.Add(partition, key, value);
            return;
        }
        // The order of a partition is kept across both ways.
        outgoing?.Flush();
        Produce(partitions[partition], new Message<byte[], byte[]> { Key = key.ToArray(), Value = value.ToArray(), Headers = headers });
        LargeAllocations.Count(value.Length);
    }

    /// <summary>The next record of its partition: its key's row is gone, so it has no value.</summary>
    public void SendDelete(int partition, ReadOnlySpan<byte> key, Headers headers)
    {
        outgoing?.Flush();
        Produce(partitions[partition], new Message<byte[], byte[]> { Key = key.ToArray(), Headers = headers });
    }

    /// <summary>All records so far are the producer's.</summary>
    /// <exception cref="KafkaException">A record was refused.</exception>
    public void Flush() => outgoing?.Flush();

    /// <summary>Why a record was not acknowledged, where no transaction says so; null: each was, or is waited for.</summary>
    public Error? TakeFailure() => Interlocked.Exchange(ref failure, null);

    /// <summary>A record without key and value to each partition.</summary>
    public void SendToEach(Headers headers)
    {
        outgoing?.Flush();
        foreach (var partition in partitions) Produce(partition, new Message<byte[], byte[]> { Headers = headers });
    }

    /// <summary>Where the acknowledged records of a partition end, where no transaction says so; -1: the brokers did not tell.</summary>
    public long TakeEnd(int partition)
    {
        lock (ends) return ends.Remove(partition, out var end) ? end : -1;
    }

    /// <summary>To be called before the producer is disposed of.</summary>
    public void Dispose() => outgoing?.Dispose();

    private void Delivered(DeliveryReport<byte[], byte[]> report)
    {
        if (report.Error.IsError) Interlocked.CompareExchange(ref failure, report.Error, null);
        // One that was sent again, and was there already, has none.
        else if (!report.Offset.IsSpecial) lock (ends) ends[report.Partition.Value] = report.Offset.Value + 1;
    }

    private void Produce(TopicPartition partition, Message<byte[], byte[]> message)
    {
        while (true)
        {
            try
            {
                producer.Produce(partition, message, isTransactional ? null : Delivered);
                return;
            }
            catch (ProduceException<byte[], byte[]> e) when (e.Error.Code == ErrorCode.Local_QueueFull)
            {
                producer.Poll(WaitForRoom);
            }
        }
    }
}
