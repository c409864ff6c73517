using System.Globalization;
using DuckDB.NET.Data;
using OrdersStream.Rows;

namespace OrdersStream.UnitTests.ParquetFormat;

/// <summary>An independent reader of Parquet.</summary>
internal static class DuckDb
{
    // To open a database costs far more than a query does.
    private static readonly Lock Gate = new();
    private static readonly DuckDBConnection Connection = Open();

    /// <summary>Runs a query; <c>$file</c> stands for the file.</summary>
    public static List<object?[]> Query(string file, string sql)
    {
        lock (Gate) return Read(file, sql);
    }

    private static List<object?[]> Read(string file, string sql)
    {
        using var command = Connection.CreateCommand();
        command.CommandText = sql.Replace("$file", $"'{file}'");
        using var reader = command.ExecuteReader();
        var rows = new List<object?[]>();
        while (reader.Read())
            rows.Add([.. Enumerable.Range(0, reader.FieldCount).Select(i => reader.IsDBNull(i) ? null : reader.GetValue(i))]);
        return rows;
    }

    public static object? Scalar(string file, string sql) => Query(file, sql).Single().Single();

    /// <summary>All rows as values in the vocabulary of <see cref="LakeRows"/>, in offset order.</summary>
    public static List<object?[]> Rows(string file, TableSchema schema)
    {
        var columns = schema.Columns.Select(c => c.Type.IsArray
            ? $"list_transform(\"{c.Name}\", lambda x: {Text("x", c.Type.Kind)})"
            : Text($"\"{c.Name}\"", c.Type.Kind));
        return [.. Query(file, $"SELECT {string.Join(", ", columns)} FROM $file ORDER BY _offset")
            .Select(row => row.Select((text, i) => Value(text, schema.Columns[i].Type)).ToArray())];
    }

    private static DuckDBConnection Open()
    {
        var connection = new DuckDBConnection("DataSource=:memory:");
        connection.Open();
        return connection;
    }

    /// <summary>DuckDB's own text of a value; of times the count since their epoch, which shows every digit.</summary>
    private static string Text(string value, ColumnKind kind) => kind switch
    {
        ColumnKind.Bytea => $"hex({value})",
        ColumnKind.Date => $"CASE WHEN isinf({value}) THEN {value}::VARCHAR ELSE ({value} - DATE '1970-01-01')::VARCHAR END",
        ColumnKind.Timestamp or ColumnKind.TimestampTz =>
            $"CASE WHEN isinf({value}) THEN {value}::VARCHAR ELSE epoch_us({value})::VARCHAR END",
        ColumnKind.Time => $"epoch_us({value})::VARCHAR",
        _ => $"{value}::VARCHAR",
    };

    private static object? Value(object? text, ColumnType type) => (text, type) switch
    {
        (null, _) => null,
        (IEnumerable<string?> list, { IsArray: true }) => list.Select(e => Value(e, type with { IsArray = false })).ToArray(),
        (string t, { Kind: ColumnKind.Real }) => (double)float.Parse(Float(t), CultureInfo.InvariantCulture),
        (string t, { Kind: ColumnKind.Double }) => double.Parse(Float(t), CultureInfo.InvariantCulture),
        (string t, { Kind: ColumnKind.Bytea }) => Convert.FromHexString(t),
        (string t, { Kind: ColumnKind.Boolean }) => t == "true" ? 1L : 0L,
        (string t, { Kind: ColumnKind.Date }) => Infinity(t, int.MaxValue),
        (string t, { Kind: ColumnKind.Timestamp or ColumnKind.TimestampTz }) => Infinity(t, long.MaxValue),
        (string t, { Kind: ColumnKind.SmallInt or ColumnKind.Integer or ColumnKind.BigInt or ColumnKind.Time }) =>
            long.Parse(t, CultureInfo.InvariantCulture),
        (string t, { Kind: ColumnKind.Numeric }) when DecimalShape.Of(type) is not null =>
            Int128.Parse(t.Replace(".", ""), CultureInfo.InvariantCulture),
        (string t, _) => t,
        _ => throw new InvalidOperationException($"DuckDB gave a {text.GetType()} for {type}"),
    };

    private static string Float(string text) =>
        text switch { "inf" => "Infinity", "-inf" => "-Infinity", "nan" or "-nan" => "NaN", _ => text };

    private static long Infinity(string text, long greatest) => text switch
    {
        "infinity" => greatest,
        "-infinity" => -greatest,
        _ => long.Parse(text, CultureInfo.InvariantCulture),
    };
}
