using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using OrdersStream.Durable;

namespace OrdersStream.Rows;

/// <summary>
/// The columns of the source table at one time. The fingerprint is a hash over names, types, nullability, key and
/// timestamp column: two records with one fingerprint have one shape, and so can share a file.
/// </summary>
public sealed class TableSchema
{
    /// <param name="columns">In the table's own order.</param>
    /// <param name="keyColumns">Indices into <paramref name="columns"/>, in key order; at least one.</param>
    /// <param name="timestampColumn">Index of the ordering column.</param>
    public TableSchema(ImmutableArray<Column> columns, ImmutableArray<int> keyColumns, int timestampColumn)
    {
        Columns = columns;
        KeyColumns = keyColumns;
        TimestampColumn = timestampColumn;
        Fingerprint = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(ToJson())))[..16];
    }

    public ImmutableArray<Column> Columns { get; }

    /// <summary>Indices of the key's columns, in key order.</summary>
    public ImmutableArray<int> KeyColumns { get; }

    /// <summary>Index of the ordering column.</summary>
    public int TimestampColumn { get; }

    /// <summary>16 hexadecimal digits.</summary>
    public string Fingerprint { get; }

    /// <summary>The index of a column, or -1.</summary>
    public int IndexOf(string columnName)
    {
        for (var i = 0; i < Columns.Length; i++)
            if (Columns[i].Name == columnName) return i;
        return -1;
    }

    /// <summary>Human-readable and canonical: the same schema gives the same text.</summary>
    public string ToJson()
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, NewLine = "\n" }))
        {
            json.WriteStartObject();
            json.WriteNumber("version", FormatVersion);
            WriteMembers(json);
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    /// <summary>As a state file of the stream that it was met in first.</summary>
    internal byte[] ToStateFile(string owner) => StateEnvelope.Seal(FormatVersion, owner, WriteMembers);

    /// <summary>Reads what <see cref="ToStateFile"/> or <see cref="ToJson"/> wrote.</summary>
    /// <exception cref="FormatException">The text is no schema, or one of a later version.</exception>
    public static TableSchema FromJson(string text) => FromJson(Encoding.UTF8.GetBytes(text));

    /// <inheritdoc cref="FromJson(string)"/>
    public static TableSchema FromJson(ReadOnlySpan<byte> file)
    {
        using var document = StateEnvelope.Open(file, FormatVersion);
        try
        {
            var root = document.RootElement;
            var columns = root.GetProperty("columns").EnumerateArray().Select(ReadColumn).ToImmutableArray();
            int Index(string? name) => columns.Select((c, i) => (c, i)).Where(x => x.c.Name == name).Select(x => (int?)x.i).FirstOrDefault()
                ?? throw new KeyNotFoundException("a key or timestamp column that is not listed");
            return new TableSchema(
                columns,
                root.GetProperty("key").EnumerateArray().Select(k => Index(k.GetString())).ToImmutableArray(),
                Index(root.GetProperty("timestamp").GetString()));
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or ArgumentException or OverflowException
            or FormatException)
        {
            throw new FormatException("it is not the JSON of a schema", e);
        }
    }

    private const int FormatVersion = 1;

    private void WriteMembers(Utf8JsonWriter json)
    {
        json.WriteStartArray("key");
        foreach (var k in KeyColumns) json.WriteStringValue(Columns[k].Name);
        json.WriteEndArray();
        json.WriteString("timestamp", Columns[TimestampColumn].Name);
        json.WriteStartArray("columns");
        foreach (var column in Columns)
        {
            json.WriteStartObject();
            json.WriteString("name", column.Name);
            json.WriteString("kind", column.Type.Kind.ToString());
            json.WriteString("type", column.Type.PostgresName);
            if (column.Type.Precision is { } p) json.WriteNumber("precision", p);
            if (column.Type.Scale is { } s) json.WriteNumber("scale", s);
            if (column.Type.IsArray) json.WriteBoolean("array", true);
            json.WriteBoolean("nullable", column.Nullable);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static Column ReadColumn(JsonElement c) => new(
        c.GetProperty("name").GetString()!,
        new ColumnType(
            Enum.Parse<ColumnKind>(c.GetProperty("kind").GetString()!),
            c.GetProperty("type").GetString()!,
            c.TryGetProperty("precision", out var p) ? p.GetInt32() : null,
            c.TryGetProperty("scale", out var s) ? s.GetInt32() : null,
            c.TryGetProperty("array", out var a) && a.GetBoolean()),
        c.GetProperty("nullable").GetBoolean());
}
