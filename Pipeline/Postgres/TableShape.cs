using System.Text.RegularExpressions;
using Npgsql;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;

namespace OrdersStream.Postgres;

/// <summary>What a table has by which a stream can be made of it, and what its role has.</summary>
/// <param name="Name">Quoted, for statements.</param>
/// <param name="Key">Columns of its primary key, or else of a unique index.</param>
/// <param name="HasPrimaryKey">They are the former's, and need not be named.</param>
/// <param name="Time">The column that tells when a row was changed; null: there is none.</param>
/// <param name="HasZone">It is of type timestamptz.</param>
/// <param name="Rights">What the role has.</param>
internal sealed partial record TableShape(string Name, string[] Key, bool HasPrimaryKey, string? Time, bool HasZone, RoleRights Rights)
{
    /// <summary>What is taken where nothing is named.</summary>
    public const string UsualTime = "updated_at";

    /// <summary>Nothing tells of changes: a column is to be added.</summary>
    public bool IsTimeMissing => Time is null;

    /// <summary>What has to be named as the ordering column; null: it is found by itself.</summary>
    public string? ToName => Time is null or UsualTime ? null : Time;

    /// <exception cref="PipelineException">The table is not there, or has nothing that identifies its rows.</exception>
    public static async Task<TableShape> ReadAsync(
        NpgsqlConnection connection, PostgresOptions options, string role, CancellationToken cancellationToken)
    {
        var (oid, _, _) = await SourceCatalog.FindAsync(connection, options, cancellationToken);
        var name = $"{Sql.Identifier(options.Schema)}.{Sql.Identifier(options.Table)}";
        var key = await KeyAsync(connection, oid, name, cancellationToken);
        var (time, hasZone) = await TimeAsync(connection, oid, cancellationToken);
        var rights = await RoleRights.ReadAsync(connection, oid, role, cancellationToken);
        return new(name, key.Columns, key.IsPrimary, time, hasZone, rights);
    }

    private static async Task<(bool IsPrimary, string[] Columns)> KeyAsync(
        NpgsqlConnection connection, uint oid, string name, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            """
            SELECT i.indisprimary,
                   ARRAY(SELECT a.attname::text FROM unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) WITH ORDINALITY k (n, at)
                         JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.n ORDER BY at)
            FROM pg_index i
            WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL
              AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = i.indrelid AND NOT a.attnotnull
                              AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]))
            ORDER BY i.indisprimary DESC, i.indnkeyatts, i.indexrelid LIMIT 1
            """, connection) { Parameters = { new() { Value = (long)oid } } };
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        if (await reader.ReadAsync(cancellationToken)) return (reader.GetBoolean(0), reader.GetFieldValue<string[]>(1));
        throw new PipelineException(FailureAction.Stop,
            $"Nothing identifies the rows of {name}: it has neither a primary key nor a unique index of columns that are NOT NULL.",
            $"Add one: ALTER TABLE {name} ADD PRIMARY KEY (...).");
    }

    private static async Task<(string? Column, bool HasZone)> TimeAsync(
        NpgsqlConnection connection, uint oid, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            "SELECT attname::text, atttypid = 'timestamptz'::regtype FROM pg_attribute "
            + "WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped AND atttypid IN ('timestamptz'::regtype, 'timestamp'::regtype) "
            + "ORDER BY attnum", connection)
        {
            Parameters = { new() { Value = (long)oid } },
        };
        var columns = new List<(string Name, bool HasZone)>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken)) columns.Add((reader.GetString(0), reader.GetBoolean(1)));
        var (column, hasZone) = columns.Where(c => c.Name == UsualTime || OfChange().IsMatch(c.Name))
            .OrderByDescending(c => c.Name == UsualTime).ThenByDescending(c => c.HasZone).FirstOrDefault();
        return (column, hasZone);
    }

    // By their names alone: which of them is set by every update nobody can tell but who wrote the table.
    [GeneratedRegex("^(last_?)?(row_?)?(updated?|modifi(ed|cation)|changed?)(_|$|at|on|date|time)", RegexOptions.IgnoreCase)]
    private static partial Regex OfChange();
}

/// <summary>What a role has of what the pipeline's needs.</summary>
internal sealed record RoleRights(string Role, bool Exists, bool UsesSchema, bool ReadsTable, bool SeesSessions)
{
    public static async Task<RoleRights> ReadAsync(
        NpgsqlConnection connection, uint oid, string role, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            """
            SELECT r.oid IS NOT NULL, coalesce(has_schema_privilege(r.oid, c.relnamespace, 'USAGE'), false),
                   coalesce(has_table_privilege(r.oid, c.oid, 'SELECT'), false),
                   coalesce(pg_has_role(r.oid, 'pg_read_all_stats', 'USAGE'), false)
            FROM pg_class c LEFT JOIN pg_roles r ON r.rolname = $2 WHERE c.oid = $1
            """, connection) { Parameters = { new() { Value = (long)oid }, new() { Value = role } } };
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        return new(role, reader.GetBoolean(0), reader.GetBoolean(1), reader.GetBoolean(2), reader.GetBoolean(3));
    }
}
