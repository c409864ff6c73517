using System.Runtime.InteropServices;
using System.Text;
using Confluent.Kafka;

namespace OrdersStream.Kafka.Native;

/// <summary>
/// What a consumer has received and not yet handed out, taken many with one call and read where it lies. Confluent.Kafka makes four objects and
/// two copies of each record, which took as long as to decode it and store it. Waiting for what has not come stays with Confluent.Kafka.
/// </summary>
internal sealed unsafe class ReceivedRecords : IDisposable
{
    private const int RecordsPerCall = 512;

    private readonly nint queue;
    private readonly NativeRecord*[] taken = new NativeRecord*[RecordsPerCall];
    private int next;
    private int count;
    private NativeRecord* current;

    /// <param name="handle">The consumer's.</param>
    public ReceivedRecords(Handle handle) => queue = Librdkafka.QueueGetConsumer(Librdkafka.ClientOf(handle));

    public int Partition => current->Partition;
    public long Offset => current->Offset;

    /// <summary>Not a record: the partition's end was reached, at <see cref="Offset"/>.</summary>
    public bool IsPartitionEnd => current->Error == (int)ErrorCode.Local_PartitionEOF;

    /// <summary>It has a key, a value and no headers.</summary>
    public bool IsPlain
    {
        get
        {
            nint headers;
            return current->Key != 0 && current->Value != 0 && Librdkafka.MessageHeaders(current, &headers) != 0;
        }
    }

    /// <summary>Valid until the next step.</summary>
    public ReadOnlySpan<byte> Value => new((void*)current->Value, (int)current->ValueBytes);

    /// <summary>Steps to the next one. False: nothing has come; rebalances are served meanwhile.</summary>
    /// <exception cref="KafkaException">The consumer reports a failure.</exception>
    public bool TryNext()
    {
        Release();
        if (next == count && !Take()) return false;
        current = taken[next++];
        return current->Error == 0 || IsPartitionEnd ? true : throw new KafkaException(new Error((ErrorCode)current->Error, Encoding.UTF8.GetString(Value)));
    }

    /// <summary>A copy of it, for whoever wants to keep it.</summary>
    public StreamRecord ToRecord()
    {
        int timestampType;
        return new StreamRecord(
            Partition, Offset, Copy(current->Key, current->KeyBytes), Copy(current->Value, current->ValueBytes), Librdkafka.MessageTimestamp(current, &timestampType), Headers());
    }

    /// <summary>To be called before the consumer is closed.</summary>
    public void Dispose()
    {
        Release();
        while (next < count) Librdkafka.MessageDestroy(taken[next++]);
        Librdkafka.QueueDestroy(queue);
    }

    private bool Take()
    {
        fixed (NativeRecord** first = taken) count = (int)Librdkafka.ConsumeBatchQueue(queue, 0, first, RecordsPerCall);
        next = 0;
        if (count < 0) count = 0;
        return count > 0;
    }

    private void Release()
    {
        if (current != null) Librdkafka.MessageDestroy(current);
        current = null;
    }

    private List<StreamHeader>? Headers()
    {
        nint headers;
        if (Librdkafka.MessageHeaders(current, &headers) != 0) return null;
        var all = new List<StreamHeader>();
        nint name, value;
        nuint bytes;
        while (Librdkafka.HeaderGetAll(headers, all.Count, &name, &value, &bytes) == 0) all.Add(new StreamHeader(Marshal.PtrToStringUTF8(name)!, Copy(value, bytes)));
        return all;
    }

    private static byte[]? Copy(nint start, nuint bytes) => start == 0 ? null : new ReadOnlySpan<byte>((void*)start, (int)bytes).ToArray();
}
