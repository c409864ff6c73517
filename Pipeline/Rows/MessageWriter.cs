using System.Runtime.InteropServices;
using OrdersStream.Memory;

namespace OrdersStream.Rows;

/// <summary>
/// Row to message, the reverse of <see cref="MessageDecoder"/>: the very bytes that <see cref="MessageEncoder"/> writes for the same row.
/// </summary>
public sealed class MessageWriter
{
    private readonly TableSchema schema;
    private readonly byte[][] prefixes;

    public MessageWriter(TableSchema schema)
    {
        this.schema = schema;
        prefixes = [.. schema.Columns.Select((column, i) => MessageEncoder.MemberPrefix(column.Name, first: i == 0))];
    }

    /// <summary>Appends the JSON object of <paramref name="row"/>, which must be of the same schema.</summary>
    public void Write(DecodedRow row, ByteBuffer buffer)
    {
        for (var i = 0; i < prefixes.Length; i++)
        {
            buffer.Append(prefixes[i]);
            WriteValue(schema.Columns[i].Type, row, row.Cells[i], buffer);
        }
        buffer.Append((byte)'}');
    }

    /// <summary>Appends the JSON form of one cell of <paramref name="row"/>.</summary>
    public static void WriteValue(ColumnType type, DecodedRow row, in Cell cell, ByteBuffer buffer)
    {
        if (cell.IsNull) JsonText.Null(buffer);
        else if (type.IsArray) WriteArray(type, row, cell, buffer);
        else WriteScalar(type, row, cell, buffer);
    }

    private static void WriteArray(ColumnType type, DecodedRow row, in Cell cell, ByteBuffer buffer)
    {
        buffer.Append((byte)'[');
        var elements = CollectionsMarshal.AsSpan(row.Elements).Slice(cell.Start, cell.Length);
        for (var i = 0; i < elements.Length; i++)
        {
            if (i > 0) buffer.Append((byte)',');
            if (elements[i].IsNull) JsonText.Null(buffer);
            else WriteScalar(type, row, elements[i], buffer);
        }
        buffer.Append((byte)']');
    }

    private static void WriteScalar(ColumnType type, DecodedRow row, in Cell cell, ByteBuffer buffer)
    {
        switch (type.Kind)
        {
            case ColumnKind.SmallInt or ColumnKind.Integer or ColumnKind.BigInt: JsonText.Integer(buffer, cell.Bits); break;
            case ColumnKind.Numeric when DecimalShape.Of(type) is { } shape: JsonText.Decimal(buffer, cell.Unscaled, shape.Scale); break;
            case ColumnKind.Numeric: JsonText.NumericText(buffer, Text(row, cell)); break;
            case ColumnKind.Real: JsonText.Real(buffer, (float)BitConverter.Int64BitsToDouble(cell.Bits)); break;
            case ColumnKind.Double: JsonText.Double(buffer, BitConverter.Int64BitsToDouble(cell.Bits)); break;
            case ColumnKind.Boolean: JsonText.Boolean(buffer, cell.Bits != 0); break;
            case ColumnKind.Date: JsonText.Date(buffer, (int)cell.Bits); break;
            case ColumnKind.Time: JsonText.Time(buffer, cell.Bits); break;
            case ColumnKind.Timestamp: JsonText.Timestamp(buffer, cell.Bits, utc: false); break;
            case ColumnKind.TimestampTz: JsonText.Timestamp(buffer, cell.Bits, utc: true); break;
            case ColumnKind.Bytea: JsonText.Base64String(buffer, Text(row, cell)); break;
            default: JsonText.String(buffer, Text(row, cell)); break;
        }
    }

    private static ReadOnlySpan<byte> Text(DecodedRow row, in Cell cell) => row.Bytes.Written.Slice(cell.Start, cell.Length);
}
