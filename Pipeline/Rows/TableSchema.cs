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
    /// <param name="formatVersion">
    /// Of its text, and so part of the fingerprint: a program that knows only an earlier one stops at a record that names it.
    /// </param>
    public TableSchema(
        ImmutableArray<Column> columns, ImmutableArray<int> keyColumns, int timestampColumn, int formatVersion = NewestFormatVersion)
    {
        this.formatVersion = formatVersion;
        Columns = columns;
        KeyColumns = keyColumns;
        TimestampColumn = timestampColumn;
        Fingerprint = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(ToJson())))[..16];
    }

    private const int NewestFormatVersion = 2;

    private readonly int formatVersion;

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

    /// <summary>What an operator should know that is other than it was; no value in it.</summary>
    public string ChangesSince(TableSchema before)
    {
        var changes = new List<string>();
        changes.AddRange(Columns.Where(c => before.IndexOf(c.Name) < 0).Select(c => $"{c.Name} ({c.Type.PostgresName}) was added"));
        changes.AddRange(before.Columns.Where(c => IndexOf(c.Name) < 0).Select(c => $"{c.Name} is gone"));
        foreach (var column in Columns)
        {
            if (before.IndexOf(column.Name) is not (>= 0 and var at)) continue;
            var old = before.Columns[at];
            if (old.Type != column.Type) changes.Add($"{column.Name} is {column.Type.PostgresName} and was {old.Type.PostgresName}");
            else if (old.Nullable != column.Nullable) changes.Add($"{column.Name} {(column.Nullable ? "may be NULL" : "is NOT NULL")}");
        }
        return changes.Count > 0 ? string.Join(", ", changes) : "their order, the key or the ordering column";
    }

    /// <summary>Human-readable and canonical: the same schema gives the same text.</summary>
    public string ToJson()
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, NewLine = "\n" }))
        {
            json.WriteStartObject();
            json.WriteNumber("version", formatVersion);
            WriteMembers(json);
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    /// <summary>As a state file of the stream that it was met in first.</summary>
    internal byte[] ToStateFile(string owner) => StateEnvelope.Seal(formatVersion, owner, WriteMembers);

    /// <summary>Reads what <see cref="ToStateFile"/> or <see cref="ToJson"/> wrote.</summary>
    /// <exception cref="FormatException">The text is no schema, or one of a later version.</exception>
    public static TableSchema FromJson(string text) => FromJson(Encoding.UTF8.GetBytes(text));

    /// <inheritdoc cref="FromJson(string)"/>
    public static TableSchema FromJson(ReadOnlySpan<byte> file)
    {
        using var document = StateEnvelope.Open(file, NewestFormatVersion);
        return FromElement(document.RootElement, document.RootElement.GetProperty("version").GetInt32());
    }

    /// <summary>As it stands among other members of an object.</summary>
    internal void WriteTo(Utf8JsonWriter json, string name)
    {
        json.WriteStartObject(name);
        WriteMembers(json);
        json.WriteEndObject();
    }

    /// <summary>Reads what <see cref="WriteTo"/> wrote.</summary>
    /// <exception cref="FormatException">It is no schema.</exception>
    internal static TableSchema FromElement(JsonElement root) => FromElement(root, NewestFormatVersion);

    private static TableSchema FromElement(JsonElement root, int formatVersion)
    {
        try
        {
            var columns = root.GetProperty("columns").EnumerateArray().Select(ReadColumn).ToImmutableArray();
            int Index(string? name) => columns.Select((c, i) => (c, i)).Where(x => x.c.Name == name).Select(x => (int?)x.i).FirstOrDefault()
                ?? throw new KeyNotFoundException("a key or timestamp column that is not listed");
            return new TableSchema(
                columns,
                root.GetProperty("key").EnumerateArray().Select(k => Index(k.GetString())).ToImmutableArray(),
                Index(root.GetProperty("timestamp").GetString()),
                formatVersion);
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or ArgumentException or OverflowException
            or FormatException)
        {
            throw new FormatException("it is not the JSON of a schema", e);
        }
    }

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
