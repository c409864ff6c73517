using System.Text.Json;
using OrdersStream.Memory;

namespace OrdersStream.Rows;

/// <summary>
/// Key to row, the reverse of what <see cref="MessageEncoder"/> makes a record's key of: the row of a delete, of which only the key is
/// known. It serves one thread at a time.
/// </summary>
public sealed class KeyDecoder
{
    private readonly TableSchema schema;
    private readonly TableSchema key;
    private readonly MessageDecoder decoder;
    private readonly DecodedRow decoded;
    private readonly ByteBuffer json = new();
    private readonly byte[][] prefixes;
    private readonly string? required;

    /// <param name="schema">Of the row.</param>
    public KeyDecoder(TableSchema schema)
    {
        this.schema = schema;
        key = new TableSchema(
            [.. schema.KeyColumns.Select(k => schema.Columns[k])], [.. Enumerable.Range(0, schema.KeyColumns.Length)], timestampColumn: 0);
        (decoder, decoded) = (new(key), new(key));
        prefixes = [.. key.Columns.Select((column, i) => MessageEncoder.MemberPrefix(column.Name, first: i == 0))];
        required = schema.Columns.Where((c, i) => !c.Nullable && !schema.KeyColumns.Contains(i)).FirstOrDefault()?.Name;
    }

    /// <summary>Decodes into <paramref name="row"/>, which must be of the schema: all but the key is NULL.</summary>
    /// <exception cref="UndecodableException">It is no key of the schema, or the row of a delete cannot be one of it.</exception>
    public void Decode(ReadOnlySpan<byte> recordKey, DecodedRow row)
    {
        if (required is not null) throw new UndecodableException($"a delete has no value for column \"{required}\", which is NOT NULL");
        json.Clear();
        if (prefixes.Length == 1) WriteOnly(recordKey);
        else WriteEach(recordKey);
        json.Append((byte)'}');
        decoder.Decode(json.Written, decoded);
        row.Elements.Clear();
        row.Bytes.Clear();
        row.Bytes.Append(decoded.Bytes.Written);
        Array.Fill(row.Cells, new Cell { IsNull = true });
        for (var k = 0; k < schema.KeyColumns.Length; k++) row.Cells[schema.KeyColumns[k]] = decoded.Cells[k];
    }

    // Its text stands without JSON's quotes, and a text without its escapes.
    private void WriteOnly(ReadOnlySpan<byte> text)
    {
        json.Append(prefixes[0]);
        if (IsBare(key.Columns[0].Type.Kind, text)) json.Append(text);
        else JsonText.String(json, text);
    }

    private static bool IsBare(ColumnKind kind, ReadOnlySpan<byte> text) => kind switch
    {
        ColumnKind.Boolean => true,
        // The last character of NaN and the infinities is none.
        ColumnKind.SmallInt or ColumnKind.Integer or ColumnKind.BigInt or ColumnKind.Numeric or ColumnKind.Real or ColumnKind.Double =>
            text.Length > 0 && char.IsAsciiDigit((char)text[^1]),
        _ => false,
    };

    private void WriteEach(ReadOnlySpan<byte> array)
    {
        try
        {
            var reader = new Utf8JsonReader(array);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartArray) throw NoKey();
            foreach (var prefix in prefixes)
            {
                if (!reader.Read() || reader.TokenType is JsonTokenType.EndArray or JsonTokenType.StartArray or JsonTokenType.StartObject)
                    throw NoKey();
                json.Append(prefix);
                json.Append(array[(int)reader.TokenStartIndex..(int)reader.BytesConsumed]);
            }
            if (!reader.Read() || reader.TokenType != JsonTokenType.EndArray || reader.Read()) throw NoKey();
        }
        catch (JsonException)
        {
            throw NoKey();
        }
    }

    private UndecodableException NoKey() => new($"the key is no JSON array of {prefixes.Length} values");
}
