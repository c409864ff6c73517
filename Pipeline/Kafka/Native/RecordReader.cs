using Confluent.Kafka;
using OrdersStream.Configuration;

namespace OrdersStream.Kafka.Native;

/// <summary>
/// Steps through the records that a consumer receives. What has come already is read where it lies (<see cref="ReceivedRecords"/>); to
/// wait for what has not is an ordinary <c>Consume</c>, and so is every step where Confluent.Kafka is not as it is known here.
/// </summary>
internal sealed class RecordReader : IDisposable
{
    private readonly IConsumer<byte[], byte[]> consumer;
    private readonly ReceivedRecords? received;

    /// <summary>The record that <c>Consume</c> gave; null: the one where <see cref="received"/> stands.</summary>
    private ConsumeResult<byte[], byte[]>? consumed;

    public RecordReader(IConsumer<byte[], byte[]> consumer, KafkaOptions options)
    {
        this.consumer = consumer;
        if (Librdkafka.Of(consumer.Handle, options) is { } native) received = new ReceivedRecords(native);
    }

    public int Partition => consumed?.Partition.Value ?? received!.Partition;
    public long Offset => consumed?.Offset.Value ?? received!.Offset;

    /// <summary>Not a record: the partition's end was reached, at <see cref="Offset"/>.</summary>
    public bool IsPartitionEnd => consumed?.IsPartitionEOF ?? received!.IsPartitionEnd;

    /// <summary>It has a key, a value and no headers.</summary>
    public bool IsPlain => consumed is null
        ? received!.IsPlain
        : consumed.Message is { Key: not null, Value: not null, Headers: null or { Count: 0 } };

    /// <summary>Kafka's timestamp, Unix milliseconds.</summary>
    public long TimestampMs => consumed is null ? received!.TimestampMs : consumed.Message.Timestamp.UnixTimestampMs;

    /// <summary>Valid until the next step; so is the value.</summary>
    public ReadOnlySpan<byte> Key => consumed is null ? received!.Key : consumed.Message.Key;

    /// <summary>Valid until the next step.</summary>
    public ReadOnlySpan<byte> Value => consumed is null ? received!.Value : consumed.Message.Value;

    /// <summary>Steps to the next one that has been received already. False: there is none; rebalances are served meanwhile.</summary>
    /// <exception cref="KafkaException">The consumer reports a failure.</exception>
    public bool TryNext()
    {
        if (received is null) return WaitNext(TimeSpan.Zero);
        consumed = null;
        return received.TryNext();
    }

    /// <summary>Waits for the next one. False: none came in time.</summary>
    /// <exception cref="KafkaException">The consumer reports a failure.</exception>
    public bool WaitNext(TimeSpan wait)
    {
        consumed = consumer.Consume(wait);
        return consumed is not null;
    }

    /// <summary>Goes on elsewhere in a partition: what had come of it is passed over.</summary>
    public void Seek(TopicPartitionOffset place)
    {
        received?.Forget(place.Partition.Value);
        consumer.Seek(place);
    }

    /// <summary>For whoever wants to keep it.</summary>
    public StreamRecord ToRecord() => consumed is null ? received!.ToRecord() : StreamRecord.From(consumed);

    /// <summary>To be called before the consumer is closed.</summary>
    public void Dispose() => received?.Dispose();
}
