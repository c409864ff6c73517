using System.Buffers.Binary;
using OrdersStream.Memory;

namespace OrdersStream.Rows;

/// <summary>One field of a COPY tuple, in the type's binary send format, to its JSON form.</summary>
internal static class CopyField
{
    /// <exception cref="Diagnostics.PipelineException">
    /// The bytes are no value of the column's type, or one that cannot be carried exactly.
    /// </exception>
    public static void WriteJson(ByteBuffer buffer, Column column, ReadOnlySpan<byte> field)
    {
        if (column.Type.IsArray) WriteArray(buffer, column, field);
        else WriteScalar(buffer, column, field);
    }

    /// <summary>The text of a string-like field as it stands, without JSON's quotes and escapes.</summary>
    public static ReadOnlySpan<byte> RawText(ColumnKind kind, ReadOnlySpan<byte> field) => kind == ColumnKind.Jsonb ? field[1..] : field;

    private static void WriteScalar(ByteBuffer buffer, Column column, ReadOnlySpan<byte> field)
    {
        if (column.Mask is { } mask)
        {
            mask.Write(buffer, field);
            return;
        }
        switch (column.Type.Kind)
        {
            case ColumnKind.SmallInt: JsonText.Integer(buffer, BinaryPrimitives.ReadInt16BigEndian(Sized(column, field, 2))); break;
            case ColumnKind.Integer: JsonText.Integer(buffer, BinaryPrimitives.ReadInt32BigEndian(Sized(column, field, 4))); break;
            case ColumnKind.BigInt: JsonText.Integer(buffer, BinaryPrimitives.ReadInt64BigEndian(Sized(column, field, 8))); break;
            case ColumnKind.Numeric:
                if (!JsonText.TryNumeric(buffer, field)) throw CopyTuple.Malformed(column, $"{field.Length} bytes that are no numeric");
                break;
            case ColumnKind.Real: JsonText.Real(buffer, BinaryPrimitives.ReadSingleBigEndian(Sized(column, field, 4))); break;
            case ColumnKind.Double: JsonText.Double(buffer, BinaryPrimitives.ReadDoubleBigEndian(Sized(column, field, 8))); break;
            case ColumnKind.Boolean: JsonText.Boolean(buffer, Sized(column, field, 1)[0] != 0); break;
            case ColumnKind.Text or ColumnKind.Json: JsonText.String(buffer, field); break;
            case ColumnKind.Jsonb: JsonText.String(buffer, JsonbText(column, field)); break;
            case ColumnKind.Date: WriteDate(buffer, BinaryPrimitives.ReadInt32BigEndian(Sized(column, field, 4))); break;
            case ColumnKind.Time: WriteTime(buffer, column, BinaryPrimitives.ReadInt64BigEndian(Sized(column, field, 8))); break;
            case ColumnKind.Timestamp: WriteTimestamp(buffer, column, field, utc: false); break;
            case ColumnKind.TimestampTz: WriteTimestamp(buffer, column, field, utc: true); break;
            case ColumnKind.Uuid: JsonText.Uuid(buffer, Sized(column, field, 16)); break;
            case ColumnKind.Bytea: JsonText.Base64String(buffer, field); break;
            default: throw CopyTuple.Unsupported(column, "this program cannot encode the type", "Report it.");
        }
    }

    private static ReadOnlySpan<byte> Sized(Column column, ReadOnlySpan<byte> field, int bytes) =>
        field.Length == bytes ? field : throw CopyTuple.Malformed(column, $"{field.Length} bytes instead of {bytes}");

    private static ReadOnlySpan<byte> JsonbText(Column column, ReadOnlySpan<byte> field) =>
        field.Length > 0 && field[0] == 1 ? field[1..] : throw CopyTuple.Malformed(column, "jsonb in a binary version other than 1");

    /// <summary>Postgres' infinities are the ends of its integers.</summary>
    private static void WriteDate(ByteBuffer buffer, int days)
    {
        if (days is int.MaxValue or int.MinValue) JsonText.Infinity(buffer, days > 0);
        else JsonText.QuotedDate(buffer, (long)days + Calendar.PostgresEpochDays);
    }

    private static void WriteTime(ByteBuffer buffer, Column column, long micros)
    {
        if (micros is < 0 or > Calendar.MicrosPerDay) throw CopyTuple.Malformed(column, "a time outside the day");
        JsonText.Time(buffer, micros);
    }

    private static void WriteTimestamp(ByteBuffer buffer, Column column, ReadOnlySpan<byte> field, bool utc)
    {
        var micros = BinaryPrimitives.ReadInt64BigEndian(Sized(column, field, 8));
        if (micros is long.MaxValue or long.MinValue)
        {
            JsonText.Infinity(buffer, micros > 0);
            return;
        }
        var (days, ofDay) = Calendar.SplitDay(micros);
        JsonText.Timestamp(buffer, days + Calendar.PostgresEpochDays, ofDay, utc);
    }

    private static void WriteArray(ByteBuffer buffer, Column column, ReadOnlySpan<byte> field)
    {
        var elements = CopyArray.Open(column, field, out var count);
        buffer.Append((byte)'[');
        for (var i = 0; i < count; i++)
        {
            if (i > 0) buffer.Append((byte)',');
            if (CopyArray.TryNext(column, ref elements, out var element)) WriteScalar(buffer, column, element);
            else JsonText.Null(buffer);
        }
        CopyArray.Close(column, elements);
        buffer.Append((byte)']');
    }
}
