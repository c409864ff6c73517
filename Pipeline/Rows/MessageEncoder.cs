using System.Text.Unicode;
using OrdersStream.Diagnostics;
using OrdersStream.Memory;

namespace OrdersStream.Rows;

/// <summary>
/// Row to message: one binary COPY tuple to the record's key and value, without an object per cell.
/// An encoder serves one thread at a time.
/// </summary>
public sealed class MessageEncoder
{
    private readonly byte[][] prefixes;
    private readonly int[] keyPositions;
    private readonly KeyPart[] keyParts;

    public MessageEncoder(TableSchema schema)
    {
        Schema = schema;
        prefixes = [.. schema.Columns.Select((column, i) => MemberPrefix(column.Name, i == 0))];
        keyPositions = [.. schema.Columns.Select((_, i) => schema.KeyColumns.IndexOf(i))];
        keyParts = new KeyPart[schema.KeyColumns.Length];
    }

    public TableSchema Schema { get; }

    /// <summary>
    /// Encodes the tuple that begins at <paramref name="copyData"/> (its 16-bit field count; columns in the schema's order).
    /// Appends the key's text to <paramref name="key"/> and one JSON object to <paramref name="value"/>.
    /// A key of one column is the value's text; of several, a JSON array.
    /// </summary>
    /// <returns>Bytes of the tuple, or 0 when it is not complete yet (nothing is then appended).</returns>
    /// <exception cref="PipelineException">
    /// The tuple does not fit the schema, or holds what cannot be carried exactly; nothing is appended.
    /// </exception>
    public int Encode(ReadOnlySpan<byte> copyData, ByteBuffer key, ByteBuffer value)
    {
        var length = CopyTuple.LengthOf(copyData, Schema);
        if (length == 0) return 0;
        var keyStart = key.Length;
        var valueStart = value.Length;
        try
        {
            var tuple = copyData[..length];
            WriteValue(tuple, value);
            if (!Utf8.IsValid(value.Written[valueStart..])) throw NotUtf8(tuple);
            WriteKey(tuple, key, value);
        }
        catch
        {
            key.Truncate(keyStart);
            value.Truncate(valueStart);
            throw;
        }
        return length;
    }

    /// <summary>The cursor behind a complete tuple: timestamp and key as Postgres would read them back, exactly.</summary>
    public Cursor CursorAt(ReadOnlySpan<byte> tuple)
    {
        var texts = new string?[Schema.Columns.Length];
        CopyTuple.LengthOf(tuple, Schema);
        var fields = tuple[CopyTuple.HeaderBytes..];
        for (var i = 0; i < texts.Length; i++)
        {
            if (CopyTuple.TryNext(ref fields, out var field) && (keyPositions[i] >= 0 || i == Schema.TimestampColumn))
                texts[i] = PostgresText.Of(Schema.Columns[i], field);
        }
        return new Cursor(texts[Schema.TimestampColumn], [.. Schema.KeyColumns.Select(k => texts[k] ?? throw NullKey(Schema.Columns[k]))]);
    }

    /// <summary>What stands before a column's value in the object: <c>{"name":</c> or <c>,"name":</c>.</summary>
    internal static byte[] MemberPrefix(string name, bool first)
    {
        var buffer = new ByteBuffer(64);
        buffer.Append((byte)(first ? '{' : ','));
        JsonText.String(buffer, System.Text.Encoding.UTF8.GetBytes(name));
        buffer.Append((byte)':');
        return buffer.Written.ToArray();
    }

    private void WriteValue(ReadOnlySpan<byte> tuple, ByteBuffer value)
    {
        var columns = Schema.Columns;
        var fields = tuple[CopyTuple.HeaderBytes..];
        for (var i = 0; i < columns.Length; i++)
        {
            value.Append(prefixes[i]);
            var start = value.Length;
            var isNull = !CopyTuple.TryNext(ref fields, out var field);
            if (isNull) JsonText.Null(value);
            else CopyField.WriteJson(value, columns[i], field);

            if (keyPositions[i] is >= 0 and var k)
            {
                if (isNull) throw NullKey(columns[i]);
                keyParts[k] = new KeyPart(start, value.Length - start, tuple.Length - fields.Length - field.Length, field.Length);
            }
        }
        value.Append((byte)'}');
    }

    private void WriteKey(ReadOnlySpan<byte> tuple, ByteBuffer key, ByteBuffer value)
    {
        if (keyParts.Length == 1)
        {
            WriteSingleKey(tuple, key, value.Written);
            return;
        }
        key.Append((byte)'[');
        for (var k = 0; k < keyParts.Length; k++)
        {
            if (k > 0) key.Append((byte)',');
            key.Append(value.Written.Slice(keyParts[k].JsonStart, keyParts[k].JsonLength));
        }
        key.Append((byte)']');
    }

    private void WriteSingleKey(ReadOnlySpan<byte> tuple, ByteBuffer key, ReadOnlySpan<byte> value)
    {
        var part = keyParts[0];
        var type = Schema.Columns[Schema.KeyColumns[0]].Type;
        var json = value.Slice(part.JsonStart, part.JsonLength);
        if (!type.IsArray && type.Kind is ColumnKind.Text or ColumnKind.Json or ColumnKind.Jsonb)
            key.Append(CopyField.RawText(type.Kind, tuple.Slice(part.FieldStart, part.FieldLength)));
        else
            key.Append(json[0] == '"' ? json[1..^1] : json);
    }

    private PipelineException NotUtf8(ReadOnlySpan<byte> tuple)
    {
        var scratch = new ByteBuffer();
        var fields = tuple[CopyTuple.HeaderBytes..];
        foreach (var column in Schema.Columns)
        {
            if (!CopyTuple.TryNext(ref fields, out var field)) continue;
            scratch.Clear();
            CopyField.WriteJson(scratch, column, field);
            if (!Utf8.IsValid(scratch.Written))
                return CopyTuple.Unsupported(column, "COPY sent text that is not UTF-8",
                    "The database's encoding is SQL_ASCII, which promises nothing about its bytes: repair the text, and move the table "
                    + "to a database of encoding UTF8.");
        }
        throw new System.Diagnostics.UnreachableException("no single column holds the text that is not UTF-8");
    }

    private static PipelineException NullKey(Column column) => new(
        FailureAction.Stop, $"column \"{column.Name}\" is part of the key and holds NULL in a row.",
        "Name key_columns that are NOT NULL, or fill the column and declare it NOT NULL.");

    /// <summary>Where a key column's JSON form lies in the value, and its field in the tuple.</summary>
    private readonly record struct KeyPart(int JsonStart, int JsonLength, int FieldStart, int FieldLength);
}
