using Npgsql;
using OrdersStream.Configuration;

namespace OrdersStream.Postgres;

/// <summary>About how many rows a table has, without reading it.</summary>
internal static class RowEstimate
{
    /// <summary>
    /// As the server's last ANALYZE found it, of all tables that hold rows of it. A partitioned table has none of its own, and one that
    /// was never analyzed none at all.
    /// </summary>
    /// <returns>Null: the server does not know.</returns>
    public static async Task<long?> OfAsync(PostgresOptions options, CancellationToken cancellationToken)
    {
        await using var connection = await SourceConnection.OpenAsync(options, cancellationToken);
        await using var command = new NpgsqlCommand(
            """
            WITH RECURSIVE tree (oid) AS (
                SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2
                UNION
                SELECT i.inhrelid FROM pg_inherits i JOIN tree ON tree.oid = i.inhparent
            )
            SELECT CASE WHEN bool_and(c.reltuples >= 0) THEN sum(c.reltuples)::bigint END
            FROM tree JOIN pg_class c USING (oid) WHERE c.relkind = 'r'
            """, connection)
        {
            Parameters = { new() { Value = options.Schema }, new() { Value = options.Table } },
        };
        return await command.ExecuteScalarAsync(cancellationToken) as long?;
    }
}
