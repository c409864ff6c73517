using OrdersStream.TestKit.Servers;

namespace OrdersStream.TestKit.Oracles;

/// <summary>One column of the source as Postgres' catalogue tells it.</summary>
/// <param name="Name">As it is, unquoted.</param>
/// <param name="Type">pg_type.typname, of an array its element's.</param>
/// <param name="IsArray">One-dimensional array.</param>
public sealed record SourceColumn(string Name, string Type, bool IsArray)
{
    // Not in any test's values; stands between elements, and for a null one.
    private const char Separator = '\u001e';
    private const string NullElement = "\u001f";

    public string Quoted => $"\"{Name.Replace("\"", "\"\"")}\"";

    /// <summary>The value as Postgres prints it.</summary>
    public string PostgresText =>
        !IsArray ? PostgresElement(Quoted)
        : $"CASE WHEN {Quoted} IS NOT NULL THEN (SELECT 'n=' || count(*) || coalesce(string_agg(chr(30) || "
            + $"coalesce({PostgresElement("e")}, chr(31)), '' ORDER BY i), '') FROM unnest({Quoted}) WITH ORDINALITY AS u(e, i)) END";

    /// <summary>The value as DuckDB prints it.</summary>
    public string DuckDbText =>
        !IsArray ? DuckDbElement(Quoted)
        : $"CASE WHEN {Quoted} IS NOT NULL THEN 'n=' || len({Quoted}) || array_to_string(list_transform({Quoted}, lambda e: "
            + $"chr(30) || coalesce({DuckDbElement("e")}, chr(31))), '') END";

    private string PostgresElement(string value) => Type switch
    {
        "bytea" => $"encode({value}, 'hex')",
        // A cast to text would cut the blanks of char(n) off.
        "bpchar" => $"CASE WHEN {value} IS NOT NULL THEN format('%s', {value}) END",
        _ => $"{value}::text",
    };

    private string DuckDbElement(string value) => Type switch
    {
        "bytea" => $"lower(hex({value}))",
        // Printed with a zone, a late timestamp loses its microseconds to a double.
        "timestamptz" =>
            $"CASE WHEN isinf({value}) THEN CAST({value} AS VARCHAR) ELSE CAST(make_timestamp(epoch_us({value})) AS VARCHAR) END",
        _ => $"CAST({value} AS VARCHAR)",
    };

    /// <summary>What either of the two printed, made comparable.</summary>
    public string? Comparable(string? text) =>
        text is null ? null
        : !IsArray ? ComparableText.Of(Type, text)
        : string.Join(
            Separator, text.Split(Separator).Select((part, i) => i == 0 || part == NullElement ? part : ComparableText.Of(Type, part)));

    public static async Task<List<SourceColumn>> OfAsync(TestDatabase database, string qualifiedTable) =>
    [
        .. (await database.TextRowsAsync(
            $"""
            SELECT a.attname::text, coalesce(e.typname, b.typname, t.typname)::text, (t.typelem <> 0 AND t.typlen = -1)::text
            FROM pg_attribute a
            JOIN pg_type t ON t.oid = a.atttypid
            LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typlen = -1
            LEFT JOIN pg_type b ON b.oid = t.typbasetype
            WHERE a.attrelid = '{qualifiedTable.Replace("'", "''")}'::regclass AND a.attnum > 0 AND NOT a.attisdropped
            ORDER BY a.attnum
            """)).Select(row => new SourceColumn(row[0]!, row[1]!, row[2] == "true"))
    ];
}
