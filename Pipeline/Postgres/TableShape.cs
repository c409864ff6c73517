using System.Text.RegularExpressions;
using Npgsql;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;

namespace OrdersStream.Postgres;

/// <summary>What a table has by which a stream can be made of it, and what its role has.</summary>
/// <param name="Name">Quoted, for statements.</param>
/// <param name="Key">Columns of its primary key, or else of a unique index.</param>
/// <param name="HasPrimaryKey">They are the former's, and need not be named.</param>
/// <param name="KeyTypes">Of each of them its type, and its collation where that is not the type's own, for statements.</param>
/// <param name="Time">The column that tells when a row was changed.</param>
/// <param name="IsTimeMissing">There is none, and one of that name is to be added.</param>
/// <param name="HasZone">It is of type timestamptz.</param>
/// <param name="Rights">What the role has.</param>
internal sealed partial record TableShape(
    string Name, string[] Key, bool HasPrimaryKey, string[] KeyTypes, string Time, bool IsTimeMissing, bool HasZone, RoleRights Rights)
{
    /// <summary>What is taken where nothing is named.</summary>
    private const string UsualTime = "updated_at";

    /// <summary>What has to be named as the ordering column; null: it is found by itself.</summary>
    public string? ToName => Time is UsualTime ? null : Time;

    /// <exception cref="PipelineException">The table is not there, or has nothing that identifies its rows.</exception>
    public static async Task<TableShape> ReadAsync(
        NpgsqlConnection connection, PostgresOptions options, string role, CancellationToken cancellationToken)
    {
        var (oid, kind, _) = await SourceCatalog.FindAsync(connection, options, cancellationToken);
        var name = $"{Sql.Identifier(options.Schema)}.{Sql.Identifier(options.Table)}";
        SourceCatalog.CheckKind(kind, name);
        var key = await KeyAsync(connection, oid, name, cancellationToken);
        var (time, isMissing, hasZone) = await TimeAsync(connection, oid, cancellationToken);
        var rights = await RoleRights.ReadAsync(connection, oid, role, options.Table + TombstoneTable.Suffix, cancellationToken);
        return new(name, key.Columns, key.IsPrimary, key.Types, time, isMissing, hasZone, rights);
    }

    private static async Task<(bool IsPrimary, string[] Columns, string[] Types)> KeyAsync(
        NpgsqlConnection connection, uint oid, string name, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            """
            SELECT i.indisprimary,
                   ARRAY(SELECT a.attname::text FROM unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) WITH ORDINALITY k (n, at)
                         JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.n ORDER BY at),
                   ARRAY(SELECT format_type(a.atttypid, a.atttypmod) || coalesce((
                             SELECT format(' COLLATE %I.%I', n.nspname, c.collname)
                             FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace JOIN pg_type t ON t.oid = a.atttypid
                             WHERE c.oid = a.attcollation AND a.attcollation <> t.typcollation), '')
                         FROM unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) WITH ORDINALITY k (n, at)
                         JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.n ORDER BY at)
            FROM pg_index i
            WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL
              AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = i.indrelid AND NOT a.attnotnull
                              AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]))
            ORDER BY i.indisprimary DESC, i.indnkeyatts, i.indexrelid LIMIT 1
            """, connection) { Parameters = { new() { Value = (long)oid } } };
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        if (await reader.ReadAsync(cancellationToken))
            return (reader.GetBoolean(0), reader.GetFieldValue<string[]>(1), reader.GetFieldValue<string[]>(2));
        throw new PipelineException(FailureAction.Stop,
            $"Nothing identifies the rows of {name}: it has neither a primary key nor a unique index of columns that are NOT NULL.",
            $"Add one: ALTER TABLE {name} ADD PRIMARY KEY (...).");
    }

    private static async Task<(string Column, bool IsMissing, bool HasZone)> TimeAsync(
        NpgsqlConnection connection, uint oid, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            "SELECT attname::text, atttypid = 'timestamptz'::regtype, atttypid IN ('timestamptz'::regtype, 'timestamp'::regtype) "
            + "FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped ORDER BY attnum", connection)
        {
            Parameters = { new() { Value = (long)oid } },
        };
        var columns = new List<(string Name, bool HasZone, bool IsTime)>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken)) columns.Add((reader.GetString(0), reader.GetBoolean(1), reader.GetBoolean(2)));
        var (column, hasZone, _) = columns.Where(c => c.IsTime && (c.Name == UsualTime || OfChange().IsMatch(c.Name)))
            .OrderByDescending(c => c.Name == UsualTime).ThenByDescending(c => c.HasZone).FirstOrDefault();
        return column is not null ? (column, false, hasZone) : (NewName(columns.Select(c => c.Name)), true, true);
    }

    /// <summary>The usual name may be taken, by a column that is no time.</summary>
    private static string NewName(IEnumerable<string> taken)
    {
        string[] names = [UsualTime, "row_updated_at", .. Enumerable.Range(2, 9).Select(n => $"row_updated_at_{n}")];
        return names.Except(taken).First();
    }

    // By their names alone: which of them is set by every update nobody can tell but who wrote the table.
    [GeneratedRegex("^(last_?)?(row_?)?(updated?|modifi(ed|cation)|changed?)(_|$|at|on|date|time)", RegexOptions.IgnoreCase)]
    private static partial Regex OfChange();
}

/// <summary>What a role has of what the pipeline's needs.</summary>
/// <param name="Role">Its name.</param>
/// <param name="Exists">It is there.</param>
/// <param name="UsesSchema">It may use the table's schema.</param>
/// <param name="ReadsTable">It may read the table.</param>
/// <param name="SeesSessions">It sees when others' transactions began.</param>
/// <param name="KeepsDeletes">It may read the table of deletes, and remove from it; null: there is no such table.</param>
internal sealed record RoleRights(string Role, bool Exists, bool UsesSchema, bool ReadsTable, bool SeesSessions, bool? KeepsDeletes)
{
    /// <summary>Of a role that is not there one that may be meant; null: there is none like it.</summary>
    public string? Nearest { get; private init; }

    public static async Task<RoleRights> ReadAsync(
        NpgsqlConnection connection, uint oid, string role, string deletes, CancellationToken cancellationToken)
    {
        RoleRights rights;
        await using (var command = new NpgsqlCommand(
            """
            SELECT r.oid IS NOT NULL, coalesce(has_schema_privilege(r.oid, c.relnamespace, 'USAGE'), false),
                   coalesce(has_table_privilege(r.oid, c.oid, 'SELECT'), false),
                   coalesce(pg_has_role(r.oid, 'pg_read_all_stats', 'USAGE'), false),
                   (SELECT coalesce(has_table_privilege(r.oid, d.oid, 'SELECT') AND has_table_privilege(r.oid, d.oid, 'DELETE'), false)
                    FROM pg_class d WHERE d.relnamespace = c.relnamespace AND d.relname = $3)
            FROM pg_class c LEFT JOIN pg_roles r ON r.rolname = $2 WHERE c.oid = $1
            """, connection)
        {
            Parameters = { new() { Value = (long)oid }, new() { Value = role }, new() { Value = deletes } },
        })
        await using (var reader = await command.ExecuteReaderAsync(cancellationToken))
        {
            await reader.ReadAsync(cancellationToken);
            rights = new(
                role, reader.GetBoolean(0), reader.GetBoolean(1), reader.GetBoolean(2), reader.GetBoolean(3),
                reader.IsDBNull(4) ? null : reader.GetBoolean(4));
        }
        return rights.Exists ? rights : rights with { Nearest = await NearestAsync(connection, role, cancellationToken) };
    }

    private static async Task<string?> NearestAsync(NpgsqlConnection connection, string role, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            "SELECT ARRAY(SELECT rolname::text FROM pg_roles WHERE rolname NOT LIKE 'pg\\_%' ORDER BY 1)", connection);
        return NearestName.Of(role, (string[])(await command.ExecuteScalarAsync(cancellationToken))!);
    }
}
