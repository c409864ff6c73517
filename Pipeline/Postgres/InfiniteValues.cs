using System.Collections.Immutable;
using Npgsql;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Rows;

namespace OrdersStream.Postgres;

/// <summary>
/// Which columns hold dates or timestamps that are infinite, as far as the server's statistics and the first rows of the table tell: they
/// are asked once, and for little.
/// </summary>
internal static class InfiniteValues
{
    private const int RowsMax = 10_000;

    /// <summary>Names of columns, in the table's order; none where nobody wants to know.</summary>
    public static async Task<ImmutableArray<string>> FindAsync(
        NpgsqlConnection connection, SourceTable table, PostgresOptions options, CancellationToken cancellationToken)
    {
        var names = table.Schema.Columns
            .Where(c => c.Type is { IsArray: false, Kind: ColumnKind.Date or ColumnKind.Timestamp or ColumnKind.TimestampTz })
            .Select(c => c.Name).ToImmutableArray();
        if (options.Infinity is not null || names.IsEmpty) return [];
        var found = await InStatisticsAsync(connection, options, cancellationToken);
        found.UnionWith(await InFirstRowsAsync(connection, table, names, cancellationToken));
        return [.. names.Where(found.Contains)];
    }

    /// <summary>What a reader will meet there; null: nothing.</summary>
    public static Advice? Warning(ImmutableArray<string> columns) => columns.IsEmpty
        ? null
        : new("columns",
            $"pandas cannot read infinity, which is in {string.Join(", ", columns)}",
            "say postgres.infinity: null for NULL in its place (in the key and the ordering column it is kept), or keep if it is to be so");

    private static async Task<HashSet<string>> InStatisticsAsync(
        NpgsqlConnection connection, PostgresOptions options, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            "SELECT attname::text FROM pg_stats WHERE schemaname = $1 AND tablename = $2 "
            + "AND concat(most_common_vals::text, histogram_bounds::text) LIKE '%infinity%'", connection)
        {
            Parameters = { new() { Value = options.Schema }, new() { Value = options.Table } },
        };
        var found = new HashSet<string>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken)) found.Add(reader.GetString(0));
        return found;
    }

    private static async Task<IEnumerable<string>> InFirstRowsAsync(
        NpgsqlConnection connection, SourceTable table, ImmutableArray<string> names, CancellationToken cancellationToken)
    {
        var columns = names.Select(Sql.Identifier).ToList();
        var anyInfinite = string.Join(", ", columns.Select(c => $"coalesce(bool_or(NOT isfinite({c})), false)"));
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        try
        {
            await using var command = new NpgsqlCommand(
                $"SET LOCAL lock_timeout = '1s'; SELECT {anyInfinite} FROM (SELECT {string.Join(", ", columns)} "
                + $"FROM {table.QualifiedName} LIMIT {RowsMax}) first_rows", connection);
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            await reader.ReadAsync(cancellationToken);
            return [.. names.Where((_, i) => reader.GetBoolean(i))];
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.LockNotAvailable)
        {
            return []; // somebody changes the table; nothing is read before he has done
        }
    }
}
