using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using OrdersStream.Kafka;
using OrdersStream.Memory;
using OrdersStream.Rows;

namespace OrdersStream.Store;

/// <summary>
/// A page's part in one partition while it arrives: its records as they came, until the one with the end mark shows that all are there
/// (invariants 2 and 3). Bounded by the page, whose size its publisher bounds. The parts of all partitions arrive at the same time, so
/// they take no more memory than their records, in blocks that they share.
/// </summary>
/// <param name="start">What its first record says.</param>
/// <param name="firstOffset">Where that stands.</param>
/// <param name="blocks">What the records lie in.</param>
internal sealed class PagePart(PageStart start, long firstOffset, BlockPool blocks)
{
    /// <summary>What a header takes beside its name and value.</summary>
    private const int HeaderBytes = 48;

    private readonly PooledBytes bytes = new(blocks);
    private readonly Dictionary<int, IReadOnlyList<StreamHeader>> headers = [];
    private long headerBytes;

    public PageStart Start { get; } = start;
    public long FirstOffset { get; } = firstOffset;

    /// <summary>Of the last record so far.</summary>
    public long LastOffset { get; private set; }

    /// <summary>Records that may be the page's.</summary>
    public int Own { get; private set; }

    public int Count { get; private set; }

    /// <summary>What came behind as many records as the page has, without its end: others' are among them, and one may be large.</summary>
    public long BytesBeyond { get; private set; }

    public long Bytes => bytes.Length + headerBytes;

    /// <summary>A record with key and value and without headers, wherever it lies: it is copied.</summary>
    // Where each record names its page, one that does not is somebody else's.
    public void Hold(long offset, long timestampMs, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value) =>
        Add(new(offset, timestampMs, key.Length, value.Length, Start.IsNamed), key, value);

    /// <summary>The same for one that names this page.</summary>
    public void HoldOwn(long offset, long timestampMs, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value) =>
        Add(new(offset, timestampMs, key.Length, value.Length, IsForeign: false), key, value);

    public void Hold(in StreamRecord record, bool isForeign)
    {
        if (record.Headers is { } own)
        {
            headers[Count] = own;
            var held = own.Sum(h => HeaderBytes + 2L * h.Name.Length + HeldMemory.Of(h.Value ?? []));
            if (Own >= Start.Records) BytesBeyond += held;
            HeadersHeld(held);
        }
        Add(new(record.Offset, record.TimestampMs, record.Key?.Length ?? -1, record.Value?.Length ?? -1, isForeign),
            record.Key, record.Value);
    }

    /// <summary>What is held, from the first record on.</summary>
    public HeldRecords Read() => new(bytes, Count, headers);

    /// <summary>The bytes of each record, as <see cref="HeldRecords.Digest"/> tells them.</summary>
    public HashSet<UInt128> Digests()
    {
        var digests = new HashSet<UInt128>();
        for (var records = Read(); records.Next();) digests.Add(records.Digest());
        return digests;
    }

    /// <summary>It is decided, and the next one may have its memory.</summary>
    public void Clear()
    {
        bytes.Clear();
        headers.Clear();
        HeadersHeld(-headerBytes);
    }

    // A small record of another producer may have large ones.
    private void HeadersHeld(long more)
    {
        headerBytes += more;
        blocks.Held.Add(more);
    }

    private void Add(HeldRecord record, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        if (Own >= Start.Records) BytesBeyond += key.Length + value.Length;
        bytes.Append(MemoryMarshal.AsBytes(new ReadOnlySpan<HeldRecord>(in record)));
        bytes.Append(key);
        bytes.Append(value);
        LastOffset = record.Offset;
        Count++;
        if (!record.IsForeign) Own++;
    }
}

/// <summary>What stands before the key and the value of a record that is held.</summary>
/// <param name="Offset">Its offset.</param>
/// <param name="TimestampMs">Kafka's timestamp.</param>
/// <param name="KeyBytes">-1: it has no key.</param>
/// <param name="ValueBytes">-1: it has no value.</param>
/// <param name="IsForeign">It is known to be no record of the page.</param>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal readonly record struct HeldRecord(long Offset, long TimestampMs, int KeyBytes, int ValueBytes, bool IsForeign);

/// <summary>The records of a part, one after the other, as they came.</summary>
internal sealed class HeldRecords(PooledBytes bytes, int count, IReadOnlyDictionary<int, IReadOnlyList<StreamHeader>> headers)
{
    private readonly PooledBytesReader reader = new(bytes);
    private int index = -1;
    private HeldRecord record;
    private ArraySegment<byte> keyAndValue;

    public long Offset => record.Offset;
    public long TimestampMs => record.TimestampMs;
    public bool IsForeign => record.IsForeign;

    /// <summary>It is the first of its part.</summary>
    public bool IsFirst => index == 0;

    /// <summary>It has a key, a value and no headers of anybody but its frames.</summary>
    public bool IsPlain => record is { KeyBytes: >= 0, ValueBytes: >= 0 } && !headers.ContainsKey(index);

    /// <summary>Valid until the next record.</summary>
    public ReadOnlySpan<byte> Value => keyAndValue[Math.Max(0, record.KeyBytes)..];

    /// <summary>Goes on to the next one. False: there is none.</summary>
    public bool Next()
    {
        if (++index >= count) return false;
        record = MemoryMarshal.Read<HeldRecord>(reader.Take(Unsafe.SizeOf<HeldRecord>()));
        keyAndValue = reader.Take(Math.Max(0, record.KeyBytes) + Math.Max(0, record.ValueBytes));
        return true;
    }

    /// <summary>As it came.</summary>
    public StreamRecord ToRecord(int partition)
    {
        var key = record.KeyBytes < 0 ? null : keyAndValue[..record.KeyBytes].ToArray();
        var value = record.ValueBytes < 0 ? null : Value.ToArray();
        return new StreamRecord(partition, Offset, key, value, TimestampMs, headers.GetValueOrDefault(index));
    }

    /// <summary>Tells the bytes of one record from those of any other.</summary>
    public UInt128 Digest()
    {
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(keyAndValue, digest);
        return MemoryMarshal.Read<UInt128>(digest) ^ (UInt128)(uint)record.KeyBytes;
    }
}
