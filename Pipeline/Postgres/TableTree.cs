using System.Collections.Immutable;
using Npgsql;

namespace OrdersStream.Postgres;

/// <summary>All tables whose rows are read through the source table: its partitions, or itself and what inherits from it.</summary>
/// <param name="Foreign">A foreign table among them; null: none.</param>
/// <param name="Unlogged">One among them that a crash empties; null: none.</param>
/// <param name="Inherits">One that inherits from the table and is no partition; null: none.</param>
/// <param name="Trigger">How far a trigger on each of them answers for the ordering column.</param>
internal sealed record TableTree(string? Foreign, string? Unlogged, string? Inherits, TimestampTrigger Trigger)
{
    /// <summary>
    /// Rows of pg_inherits, but for temporary tables: the rows of another session's are no part of what is read through the parent.
    /// </summary>
    public const string Children =
        "(SELECT i.*, i.xmin FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid AND c.relpersistence <> 't') i";

    /// <summary>Of a row t of pg_trigger: it fires for each row before it is inserted or updated, so it may set a column.</summary>
    public const string IsBeforeRow = "t.tgtype & 3 = 3 AND t.tgtype & 20 <> 0";

    private const string Tree =
        $"""
        WITH RECURSIVE tree (oid) AS (
            SELECT $1::bigint::oid UNION SELECT i.inhrelid FROM tree t JOIN {Children} ON i.inhparent = t.oid
        ), tables AS (
            SELECT c.oid, c.relkind, c.relpersistence, c.relispartition, format('%I.%I', n.nspname, c.relname) AS name
            FROM tree JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind <> 'p'
        ), triggers AS (
            SELECT t.* FROM pg_trigger t JOIN tables ON tables.oid = t.tgrelid WHERE {IsBeforeRow}
        )
        """;


    private const string Kinds =
        Tree + """

        SELECT min(name) FILTER (WHERE relkind = 'f'), min(name) FILTER (WHERE relpersistence = 'u'),
               min(name) FILTER (WHERE oid <> $1::bigint::oid AND NOT relispartition)
        FROM tables
        """;

    // One row for all tables that have the same triggers, of which there may be thousands. A generated column is set by none.
    private const string Triggers =
        Tree + """

        SELECT min(name), names, types, enabled, conditions, columns, functions
        FROM (
            SELECT tables.name, array_agg(t.tgname::text ORDER BY t.tgname) AS names, array_agg(t.tgtype::int ORDER BY t.tgname) AS types,
                   array_agg(t.tgenabled::text ORDER BY t.tgname) AS enabled,
                   array_agg(t.tgqual IS NOT NULL ORDER BY t.tgname) AS conditions,
                   array_agg(NOT t.tgattr = ''::int2vector ORDER BY t.tgname) AS columns,
                   array_agg(t.tgfoid::bigint ORDER BY t.tgname) AS functions
            FROM tables LEFT JOIN triggers t ON t.tgrelid = tables.oid AND NOT EXISTS (
                SELECT FROM pg_attribute a WHERE a.attrelid = t.tgrelid AND a.attname = $2 AND a.attgenerated <> '')
            GROUP BY tables.oid, tables.name) AS each
        GROUP BY names, types, enabled, conditions, columns, functions
        ORDER BY 1
        """;

    private const string Functions =
        Tree + """

        SELECT p.oid::bigint, p.prosrc, l.lanname = 'plpgsql', CASE WHEN NOT finds_ours THEN others END
        FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang,
             LATERAL (SELECT EXISTS (
                SELECT FROM unnest(p.proconfig) AS c WHERE c ~ '^search_path=("?pg_catalog"?(,|$)|(?!.*pg_catalog))')) AS path (finds_ours),
             (SELECT array_agg(format('%I.%I', n.nspname, o.proname) ORDER BY n.nspname, o.proname)
              FROM pg_proc o JOIN pg_namespace n ON n.oid = o.pronamespace
              WHERE o.proname IN ('now', 'clock_timestamp', 'transaction_timestamp') AND n.nspname <> 'pg_catalog'
                AND o.pronargs = o.pronargdefaults) AS shadows (others)
        WHERE p.oid IN (SELECT tgfoid FROM triggers)
        """;

    // A row may come through what the table is a partition of. The view is readable by every role, in every version.
    private const string Subscriptions =
        Tree + """

        SELECT DISTINCT s.subname::text FROM pg_subscription_rel r JOIN pg_stat_subscription s ON s.subid = r.srsubid
        WHERE r.srrelid IN (SELECT oid FROM tree UNION SELECT relid FROM pg_partition_ancestors($1::bigint::oid::regclass) AS a (relid))
        ORDER BY 1
        """;

    // An origin that no subscription made is one of a replication that applies rows in sessions of its own.
    private const string Replica =
        """
        SELECT CASE WHEN current_setting('session_replication_role') = 'replica' THEN 'the server or this role' ELSE coalesce((
            SELECT min(CASE WHEN s.setrole = 0 THEN 'the database' ELSE 'role ' || pg_get_userbyid(s.setrole) END)
            FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase OR s.setdatabase = 0
            WHERE d.datname = current_database()
              AND EXISTS (SELECT FROM unnest(s.setconfig) AS c WHERE lower(c) = 'session_replication_role=replica')), (
            SELECT min(format('function %I.%I', n.nspname, p.proname)) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
            WHERE p.proconfig IS NOT NULL
              AND EXISTS (SELECT FROM unnest(p.proconfig) AS c WHERE lower(c) = 'session_replication_role=replica')), (
            SELECT min('replication origin ' || roname) FROM pg_replication_origin WHERE roname !~ '^pg_[0-9]+(_|$)')) END
        """;

    /// <summary>One round trip.</summary>
    public static async Task<TableTree> ReadAsync(
        NpgsqlConnection connection, uint table, string column, CancellationToken cancellationToken)
    {
        await using var batch = new NpgsqlBatch(connection);
        foreach (var query in new[] { Kinds, Functions, Triggers, Subscriptions, Replica })
        {
            var command = new NpgsqlBatchCommand(query);
            if (query.Contains("$1", StringComparison.Ordinal)) command.Parameters.Add(new() { Value = (long)table });
            if (query.Contains("$2", StringComparison.Ordinal)) command.Parameters.Add(new() { Value = column });
            batch.BatchCommands.Add(command);
        }
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        var (foreign, unlogged, inherits) = (TextOrNull(reader, 0), TextOrNull(reader, 1), TextOrNull(reader, 2));
        await reader.NextResultAsync(cancellationToken);
        var functions = await FunctionsAsync(reader, column, cancellationToken);
        await reader.NextResultAsync(cancellationToken);
        var tables = new List<TriggeredTable>();
        while (await reader.ReadAsync(cancellationToken)) tables.Add(new(reader.GetString(0), RowTriggers(reader, functions)));
        await reader.NextResultAsync(cancellationToken);
        var subscriptions = ImmutableArray.CreateBuilder<string>();
        while (await reader.ReadAsync(cancellationToken)) subscriptions.Add(reader.GetString(0));
        await reader.NextResultAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        var writers = new OtherWriters(subscriptions.ToImmutable(), TextOrNull(reader, 0));
        return new TableTree(foreign, unlogged, inherits, TimestampTrigger.Of(tables, column, writers));
    }

    private static async Task<Dictionary<long, TriggerFunction>> FunctionsAsync(
        NpgsqlDataReader reader, string column, CancellationToken cancellationToken)
    {
        var functions = new Dictionary<long, TriggerFunction>();
        while (await reader.ReadAsync(cancellationToken))
        {
            var body = reader.GetString(1);
            var shadows = reader.IsDBNull(3) ? [] : reader.GetFieldValue<string[]>(3);
            functions[reader.GetInt64(0)] = new(
                reader.GetBoolean(2) && ClockFunction.AlwaysSets(body, column), ClockFunction.Mentions(body, column),
                ClockFunction.Unqualified(body) is { } clock
                    ? Array.Find(shadows, s => s.EndsWith($".{clock}", StringComparison.Ordinal))
                    : null);
        }
        return functions;
    }

    private static ImmutableArray<RowTrigger> RowTriggers(NpgsqlDataReader reader, Dictionary<long, TriggerFunction> functions)
    {
        var (types, enabled) = (reader.GetFieldValue<int?[]>(2), reader.GetFieldValue<string?[]>(3));
        var (conditions, columns) = (reader.GetFieldValue<bool?[]>(4), reader.GetFieldValue<bool?[]>(5));
        var functionOf = reader.GetFieldValue<long?[]>(6);
        // A table without any has one element, which is null.
        return
        [
            .. reader.GetFieldValue<string?[]>(1).Select((name, i) => name is null ? null : new RowTrigger(
                name, types[i]!.Value, enabled[i]![0], conditions[i]!.Value, columns[i]!.Value,
                // One that is made between two statements of the batch is not known yet.
                functions.GetValueOrDefault(functionOf[i]!.Value, TriggerFunction.Unknown)))
                .OfType<RowTrigger>(),
        ];
    }

    private static string? TextOrNull(NpgsqlDataReader reader, int column) => reader.IsDBNull(column) ? null : reader.GetString(column);
}
