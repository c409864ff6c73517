using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Confluent.Kafka;

namespace OrdersStream.Kafka.Native;

/// <summary>
/// Gives the producer records where they lie, many with one call. Confluent.Kafka takes arrays of their own for key and value, one record a
/// call, and librdkafka copies them again: that was two fifths of all that it took to capture a row.
/// </summary>
internal sealed unsafe class OutgoingRecords : IDisposable
{
    private const int RecordsPerCall = 512;

    // RD_KAFKA_MSG_F_BLOCK: wait while the queue is full. RD_KAFKA_MSG_F_PARTITION: each record names its own. None to copy, none to free.
    private const int Block = 0x4;
    private const int PartitionOfRecord = 0x8;

    private readonly Librdkafka native;
    private readonly nint topic;
    private readonly NativeRecord[] waiting = new NativeRecord[RecordsPerCall];
    private int count;

    /// <param name="native">The producer's.</param>
    /// <param name="topicName">Where the records go.</param>
    public OutgoingRecords(Librdkafka native, string topicName)
    {
        this.native = native;
        var name = Marshal.StringToCoTaskMemUTF8(topicName);
        topic = native.TopicNew(native.Client, name, 0);
        Marshal.FreeCoTaskMem(name);
        if (topic == 0) throw new KafkaException(ErrorCode.Local_UnknownTopic);
    }

    /// <summary>The next record of its partition, without headers.</summary>
    /// <param name="partition">Which one.</param>
    /// <param name="key">In memory that does not move.</param>
    /// <param name="value">In memory that does not move.</param>
    public void Add(int partition, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        waiting[count++] = new NativeRecord
        {
            Partition = partition,
            Value = (nint)Unsafe.AsPointer(ref MemoryMarshal.GetReference(value)), ValueBytes = (nuint)value.Length,
            Key = (nint)Unsafe.AsPointer(ref MemoryMarshal.GetReference(key)), KeyBytes = (nuint)key.Length,
        };
        if (count == RecordsPerCall) Flush();
    }

    /// <summary>All records so far are the producer's.</summary>
    /// <exception cref="KafkaException">A record was refused.</exception>
    public void Flush()
    {
        if (count == 0) return;
        var sent = waiting.AsSpan(0, count);
        count = 0;
        fixed (NativeRecord* first = sent)
        {
            if (native.ProduceBatch(topic, 0, Block | PartitionOfRecord, first, sent.Length) == sent.Length) return;
        }
        foreach (ref readonly var record in sent)
            if (record.Error != 0) throw new KafkaException((ErrorCode)record.Error);
    }

    /// <summary>To be called before the producer is disposed of.</summary>
    public void Dispose() => native.TopicDestroy(topic);
}
