using System.Buffers.Binary;
using System.Text;
using OrdersStream.Benchmarks.Running;
using OrdersStream.Memory;
using OrdersStream.Rows;

namespace OrdersStream.Benchmarks.Hot;

/// <summary>Orders as a binary COPY sends them, as messages, and as columns; without a server.</summary>
internal static class OrderBytes
{
    public const int Count = 10_000;
    private const long Updated = 820_000_000_000_000;

    private static readonly ColumnType Varchar = new(ColumnKind.Text, "character varying(255)");
    private static readonly ColumnType Timestamp = new(ColumnKind.TimestampTz, "timestamp with time zone");

    public static readonly TableSchema Schema = new(
        [
            new("order_id", new(ColumnKind.BigInt, "bigint"), false), new("customer_name", Varchar, false),
            new("restaurant_name", Varchar, false), new("item", Varchar, false),
            new("amount", new(ColumnKind.Numeric, "numeric(10,2)", 10, 2), false),
            new("order_status", new(ColumnKind.Text, "character varying(50)"), false),
            new("created_at", Timestamp, false), new("updated_at", Timestamp, false),
        ],
        [0], 7);

    /// <summary>The tuples one behind the other, without COPY's header.</summary>
    public static byte[] Copy()
    {
        var bytes = new ByteBuffer();
        for (var id = 1L; id <= Count; id++)
        {
            Int16(bytes, Schema.Columns.Length);
            Int64(bytes, id);
            Text(bytes, Orders.Customer(id));
            Text(bytes, Orders.Restaurant(id));
            Text(bytes, Orders.Item(id));
            Amount(bytes, Orders.Amount(id));
            Text(bytes, Orders.Status(id));
            Int64(bytes, Updated);
            Int64(bytes, Updated + id);
        }
        return bytes.Written.ToArray();
    }

    public static byte[][] Messages()
    {
        var (encoder, key, value, copy) = (new MessageEncoder(Schema), new ByteBuffer(), new ByteBuffer(), Copy());
        var messages = new byte[Count][];
        for (var (i, at) = (0, 0); i < Count; i++)
        {
            value.Clear();
            at += encoder.Encode(copy.AsSpan(at), key, value);
            messages[i] = value.Written.ToArray();
        }
        return messages;
    }

    // Two digits of base 10,000: units (all amounts are below 10,000) and hundredths.
    private static void Amount(ByteBuffer bytes, decimal amount)
    {
        Int32(bytes, 12);
        foreach (var word in (int[])[2, 0, 0, 2, (int)amount, (int)(amount % 1 * 10_000)]) Int16(bytes, word);
    }

    private static void Text(ByteBuffer bytes, string text)
    {
        var utf8 = Encoding.UTF8.GetBytes(text);
        Int32(bytes, utf8.Length);
        bytes.Append(utf8);
    }

    private static void Int64(ByteBuffer bytes, long value)
    {
        Int32(bytes, 8);
        BinaryPrimitives.WriteInt64BigEndian(bytes.GetSpan(8), value);
        bytes.Advance(8);
    }

    private static void Int32(ByteBuffer bytes, int value)
    {
        BinaryPrimitives.WriteInt32BigEndian(bytes.GetSpan(4), value);
        bytes.Advance(4);
    }

    private static void Int16(ByteBuffer bytes, int value)
    {
        BinaryPrimitives.WriteInt16BigEndian(bytes.GetSpan(2), (short)value);
        bytes.Advance(2);
    }
}
