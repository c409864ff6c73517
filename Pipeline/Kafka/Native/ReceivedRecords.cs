using System.Runtime.InteropServices;
using System.Text;
using Confluent.Kafka;

namespace OrdersStream.Kafka.Native;

/// <summary>
/// What a consumer has received and not yet handed out, taken many with one call and read where it lies. Confluent.Kafka makes four
/// objects and two copies of each record, which took as long as to decode it and store it. Waiting for what has not come stays with it.
/// </summary>
internal sealed unsafe class ReceivedRecords : IDisposable
{
    private const int RecordsPerCall = 512;

    private readonly Librdkafka native;
    private readonly nint queue;
    private readonly NativeRecord*[] taken = new NativeRecord*[RecordsPerCall];
    private int next;
    private int count;
    private NativeRecord* current;

    /// <param name="native">The consumer's.</param>
    public ReceivedRecords(Librdkafka native) => (this.native, queue) = (native, native.QueueGetConsumer(native.Client));

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
            return current->Key != 0 && current->Value != 0 && native.MessageHeaders(current, &headers) != 0;
        }
    }

    /// <summary>Kafka's timestamp, Unix milliseconds.</summary>
    public long TimestampMs
    {
        get
        {
            int type;
            return native.MessageTimestamp(current, &type);
        }
    }

    /// <summary>Valid until the next step; so is the value.</summary>
    public ReadOnlySpan<byte> Key => new((void*)current->Key, (int)current->KeyBytes);

    /// <summary>Valid until the next step.</summary>
    public ReadOnlySpan<byte> Value => new((void*)current->Value, (int)current->ValueBytes);

    /// <summary>Steps to the next one. False: nothing has come; rebalances are served meanwhile.</summary>
    /// <exception cref="KafkaException">The consumer reports a failure.</exception>
    public bool TryNext()
    {
        Release();
        if (next == count && !Take()) return false;
        current = taken[next++];
        if (current->Error == 0 || IsPartitionEnd) return true;
        throw new KafkaException(new Error((ErrorCode)current->Error, Encoding.UTF8.GetString(Value)));
    }

    /// <summary>Passes over what has been taken of a partition, which is read elsewhere from now on.</summary>
    public void Forget(int partition)
    {
        var kept = next;
        for (var i = next; i < count; i++)
        {
            if (taken[i]->Partition == partition) native.MessageDestroy(taken[i]);
            else taken[kept++] = taken[i];
        }
        count = kept;
    }

    /// <summary>A copy of it, for whoever wants to keep it.</summary>
    public StreamRecord ToRecord()
    {
        var (key, value) = (Copy(current->Key, current->KeyBytes), Copy(current->Value, current->ValueBytes));
        return new StreamRecord(Partition, Offset, key, value, TimestampMs, Headers());
    }

    /// <summary>To be called before the consumer is closed.</summary>
    public void Dispose()
    {
        Release();
        while (next < count) native.MessageDestroy(taken[next++]);
        native.QueueDestroy(queue);
    }

    private bool Take()
    {
        fixed (NativeRecord** first = taken) count = (int)native.ConsumeBatchQueue(queue, 0, first, RecordsPerCall);
        next = 0;
        if (count < 0) count = 0;
        return count > 0;
    }

    private void Release()
    {
        if (current != null) native.MessageDestroy(current);
        current = null;
    }

    private List<StreamHeader>? Headers()
    {
        nint headers;
        if (native.MessageHeaders(current, &headers) != 0) return null;
        var all = new List<StreamHeader>();
        nint name, value;
        nuint bytes;
        while (native.HeaderGetAll(headers, all.Count, &name, &value, &bytes) == 0)
            all.Add(new StreamHeader(Marshal.PtrToStringUTF8(name)!, Copy(value, bytes)));
        return all;
    }

    private static byte[]? Copy(nint start, nuint bytes) => start == 0 ? null : new ReadOnlySpan<byte>((void*)start, (int)bytes).ToArray();
}
