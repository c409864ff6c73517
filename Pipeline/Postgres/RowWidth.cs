using System.Text;
using Npgsql;
using OrdersStream.Configuration;

namespace OrdersStream.Postgres;

/// <summary>How wide rows are, by a sample.</summary>
internal static class RowWidth
{
    private const int Rows = 1_000;

    // Of a number: what stands around name and value.
    private const int Separators = 4;

    /// <summary>
    /// Bytes of a record of a row, about: its values as text, on average, of the rows that are read first, or of the newest, whichever are
    /// wider; and the names of its columns, which each record has again.
    /// </summary>
    /// <returns>Null: the table is empty.</returns>
    public static async Task<double?> SampleAsync(PostgresOptions options, CancellationToken cancellationToken)
    {
        await using var connection = await SourceConnection.OpenAsync(options, cancellationToken);
        var table = await SourceCatalog.ReadAsync(connection, options, cancellationToken);
        var newest = $"ORDER BY {Sql.Identifier(table.Schema.Columns[table.Schema.TimestampColumn].Name)} DESC ";
        await using var command = new NpgsqlCommand(
            $"SELECT max(bytes)::float8 FROM ({Average(table, "")} UNION ALL {Average(table, table.HasTimestampIndex ? newest : "")}) s",
            connection);
        return (await command.ExecuteScalarAsync(cancellationToken) as double?) + NamesOf(table);
    }

    private static int NamesOf(SourceTable table) =>
        table.Schema.Columns.Sum(c => Encoding.UTF8.GetByteCount(c.Name) + Separators);

    // As the columns are carried: others may be wide, or hidden from the role.
    private static string Average(SourceTable table, string order) =>
        $"""
        (SELECT avg(octet_length(text)) AS bytes
         FROM (SELECT ROW({string.Join(", ", table.Expressions)})::text AS text FROM {table.QualifiedName} {order}LIMIT {Rows}) r)
        """;
}
