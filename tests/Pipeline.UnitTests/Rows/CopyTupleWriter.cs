using System.Buffers.Binary;
using System.Text;
using OrdersStream.Rows;

namespace OrdersStream.UnitTests.Rows;

/// <summary>Writes binary COPY tuples as Postgres' send functions do, independently of the encoder under test.</summary>
internal static class CopyTupleWriter
{
    public static byte[] Tuple(params byte[]?[] fields) => [.. Int16(fields.Length), .. fields.SelectMany(Sized)];

    public static byte[] Int16(int value) => Write(2, b => BinaryPrimitives.WriteInt16BigEndian(b, (short)value));
    public static byte[] Int32(int value) => Write(4, b => BinaryPrimitives.WriteInt32BigEndian(b, value));
    public static byte[] Int64(long value) => Write(8, b => BinaryPrimitives.WriteInt64BigEndian(b, value));
    public static byte[] Real(float value) => Write(4, b => BinaryPrimitives.WriteSingleBigEndian(b, value));
    public static byte[] Double(double value) => Write(8, b => BinaryPrimitives.WriteDoubleBigEndian(b, value));
    public static byte[] Text(string value) => Encoding.UTF8.GetBytes(value);
    public static byte[] Jsonb(string value) => [1, .. Text(value)];
    public static byte[] Bool(bool value) => [value ? (byte)1 : (byte)0];

    /// <summary>From the text that Postgres prints, for example -12.50 or NaN.</summary>
    public static byte[] Numeric(string text)
    {
        if (text is "NaN" or "Infinity" or "-Infinity")
            return [.. Int16(0), .. Int16(0), .. Int16(text == "NaN" ? 0xC000 : text[0] == '-' ? 0xF000 : 0xD000),
                .. Int16(text == "NaN" ? 0 : 0x20)];
        var negative = text[0] == '-';
        var parts = text.TrimStart('-').Split('.');
        var scale = parts.Length > 1 ? parts[1].Length : 0;
        var whole = parts[0].PadLeft((parts[0].Length + 3) / 4 * 4, '0');
        var fraction = parts.Length > 1 ? parts[1].PadRight((scale + 3) / 4 * 4, '0') : "";
        var groups = (whole + fraction).Chunk(4).Select(c => int.Parse(c)).ToList();
        var weight = whole.Length / 4 - 1;
        while (groups.Count > 0 && groups[0] == 0) { groups.RemoveAt(0); weight--; }
        while (groups.Count > 0 && groups[^1] == 0) groups.RemoveAt(groups.Count - 1);
        if (groups.Count == 0) (weight, negative) = (0, false);
        return [.. Int16(groups.Count), .. Int16(weight), .. Int16(negative ? 0x4000 : 0), .. Int16(scale), .. groups.SelectMany(Int16)];
    }

    public static byte[] Array(params byte[]?[] elements) => elements.Length == 0
        ? [.. Int32(0), .. Int32(0), .. Int32(25)]
        : [.. Int32(1), .. Int32(elements.Contains(null) ? 1 : 0), .. Int32(25), .. Int32(elements.Length), .. Int32(1),
            .. elements.SelectMany(Sized)];

    /// <summary>A table of one column "c" behind a bigint key "id" and a timestamp column "at".</summary>
    public static TableSchema SchemaOf(ColumnType type, bool nullable = true) => new(
        [new Column("id", new ColumnType(ColumnKind.BigInt, "bigint"), false), new Column("c", type, nullable), AtColumn], [0], 2);

    public static TableSchema KeyedBy(params ColumnType[] key) => new(
        [.. key.Select((type, i) => new Column("k" + i, type, false)), AtColumn], [.. Enumerable.Range(0, key.Length)], key.Length);

    public static ColumnType TypeOf(ColumnKind kind, bool isArray = false) => new(kind, kind.ToString(), IsArray: isArray);

    private static Column AtColumn => new("at", new ColumnType(ColumnKind.TimestampTz, "timestamptz"), false);

    private static IEnumerable<byte> Sized(byte[]? field) => field is null ? Int32(-1) : [.. Int32(field.Length), .. field];

    private static byte[] Write(int bytes, Action<byte[]> write)
    {
        var buffer = new byte[bytes];
        write(buffer);
        return buffer;
    }
}
