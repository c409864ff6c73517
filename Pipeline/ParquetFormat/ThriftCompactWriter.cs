using System.Text;
using OrdersStream.Memory;

namespace OrdersStream.ParquetFormat;

/// <summary>
/// Thrift's compact protocol: a struct is its fields in the order of their ids, each behind its type and the distance to the id
/// before, and a zero at the end. A field that is null is left out.
/// </summary>
internal sealed class ThriftCompactWriter
{
    private const byte End = 0, TrueType = 1, FalseType = 2, ByteType = 3, Int16Type = 4, Int32Type = 5, Int64Type = 6;
    private const byte BinaryType = 8, ListType = 9, StructType = 12;

    /// <summary>Of a distance or a count: so much fits beside the type.</summary>
    private const int HalfByteMax = 15;

    private readonly ByteBuffer bytes = new(1024);
    private int lastId;

    /// <summary>A whole struct: valid until the next call.</summary>
    public ReadOnlyMemory<byte> Root<T>(T value, Action<ThriftCompactWriter, T> write)
    {
        bytes.Clear();
        Content(value, write);
        return bytes.Array.AsMemory(0, bytes.Length);
    }

    public void Boolean(int id, bool value) => Begin(id, value ? TrueType : FalseType);

    public void Byte(int id, sbyte value)
    {
        Begin(id, ByteType);
        bytes.Append((byte)value);
    }

    public void Int16(int id, short? value) => Integer(id, Int16Type, value);

    public void Int32(int id, int? value) => Integer(id, Int32Type, value);

    public void Int64(int id, long? value) => Integer(id, Int64Type, value);

    public void Binary(int id, byte[]? value)
    {
        if (value is null) return;
        Begin(id, BinaryType);
        Sized(value);
    }

    public void Text(int id, string? value)
    {
        if (value is not null) Binary(id, Encoding.UTF8.GetBytes(value));
    }

    public void Struct<T>(int id, T? value, Action<ThriftCompactWriter, T> write) where T : class
    {
        if (value is null) return;
        Begin(id, StructType);
        Content(value, write);
    }

    /// <summary>A struct without fields: that it is there says it all.</summary>
    public void Empty(int id, object? value) => Struct(id, value, (_, _) => { });

    public void Int32s(int id, IReadOnlyCollection<int> values)
    {
        BeginList(id, Int32Type, values.Count);
        foreach (var value in values) ZigZag(value);
    }

    public void Texts(int id, IReadOnlyCollection<string> values)
    {
        BeginList(id, BinaryType, values.Count);
        foreach (var value in values) Sized(Encoding.UTF8.GetBytes(value));
    }

    public void Structs<T>(int id, IReadOnlyCollection<T>? values, Action<ThriftCompactWriter, T> write)
    {
        if (values is null) return;
        BeginList(id, StructType, values.Count);
        foreach (var value in values) Content(value, write);
    }

    private void Integer(int id, byte type, long? value)
    {
        if (value is null) return;
        Begin(id, type);
        ZigZag(value.Value);
    }

    /// <summary>Ids begin anew in each struct.</summary>
    private void Content<T>(T value, Action<ThriftCompactWriter, T> write)
    {
        var outerId = lastId;
        lastId = 0;
        write(this, value);
        bytes.Append(End);
        lastId = outerId;
    }

    private void Begin(int id, byte type)
    {
        var distance = id - lastId;
        if (distance is < 1 or > HalfByteMax)
            throw new ArgumentOutOfRangeException(nameof(id), id, $"field ids ascend; the last was {lastId}");
        bytes.Append((byte)(distance << 4 | type));
        lastId = id;
    }

    private void BeginList(int id, byte elementType, int count)
    {
        Begin(id, ListType);
        bytes.Append((byte)(Math.Min(count, HalfByteMax) << 4 | elementType));
        if (count >= HalfByteMax) Varint((ulong)count);
    }

    private void Sized(byte[] value)
    {
        Varint((ulong)value.Length);
        bytes.Append(value);
    }

    /// <summary>Small for a small number of either sign.</summary>
    private void ZigZag(long value) => Varint((ulong)(value << 1 ^ value >> 63));

    private void Varint(ulong value)
    {
        for (; value >= 0x80; value >>= 7) bytes.Append((byte)(value | 0x80));
        bytes.Append((byte)value);
    }
}
