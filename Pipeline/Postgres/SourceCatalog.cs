using System.Collections.Immutable;
using Npgsql;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Rows;

namespace OrdersStream.Postgres;

/// <summary>Reads the source table's description from Postgres' catalogue, and refuses by name what cannot be carried.</summary>
public static class SourceCatalog
{
    /// <summary>
    /// The same in the transaction that is open, which becomes read-only, and has one snapshot from now on: taken under the lock, under
    /// which the columns stay as they are to its end.
    /// </summary>
    /// <param name="connection">That has the transaction.</param>
    /// <param name="options">Which table.</param>
    /// <param name="withTombstones">Its tombstones, too: a rewrite of them after the snapshot would hide them from it.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public static async Task<SourceTable> LockAsync(
        NpgsqlConnection connection, PostgresOptions options, bool withTombstones, CancellationToken cancellationToken)
    {
        var schema = Sql.Identifier(options.Schema);
        var tables = $"{schema}.{Sql.Identifier(options.Table)}";
        if (withTombstones) tables += $", {schema}.{Sql.Identifier(options.Table + TombstoneTable.Suffix)}";
        await using (var command = new NpgsqlCommand(
            $"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; LOCK TABLE {tables} IN ACCESS SHARE MODE", connection))
        {
            try
            {
                await command.ExecuteNonQueryAsync(cancellationToken);
            }
            catch (PostgresException e) when (withTombstones && e.SqlState == PostgresErrorCodes.UndefinedTable)
            {
                throw TombstoneTable.IsAnother(e);
            }
        }
        var table = await ReadAsync(connection, options, cancellationToken);
        await RowPredicate.CheckAsync(connection, table, cancellationToken);
        return table;
    }

    /// <summary>The table as it is now.</summary>
    /// <exception cref="PipelineException">
    /// The table is absent, has no key, no timestamp column, or a column whose type is not carried.
    /// </exception>
    public static async Task<SourceTable> ReadAsync(
        NpgsqlConnection connection, PostgresOptions options, CancellationToken cancellationToken)
    {
        var name = $"{Sql.Identifier(options.Schema)}.{Sql.Identifier(options.Table)}";
        var (oid, kind, hidesRows) = await FindAsync(connection, options, cancellationToken);
        CheckKind(kind, name);
        if (hidesRows)
            throw Stop(
                $"Row security of table {name} hides rows from role {options.User}: they would be missing without a word.",
                FailurePolicy.RowSecurityRemedy(Sql.Identifier(options.User)));
        var all = await AttributesAsync(connection, oid, cancellationToken);
        var carried = new CarriedColumns(all, options, name);
        var attributes = carried.Attributes;
        var key = await KeyAsync(connection, options, oid, all, carried, name, cancellationToken);
        var (timestamp, capturesUpdates) = TimestampColumn(options, carried, name);
        carried.DropInfinity(key.Append(timestamp).ToHashSet());
        var columns = carried.Columns;
        var schema = new TableSchema(columns, key, timestamp);
        var tree = await TableTree.ReadAsync(connection, oid, columns[timestamp].Name, cancellationToken);
        if (tree.Foreign is { } foreign)
            throw Stop(
                $"{foreign}, a part of {name}, is a foreign table, and row versions cannot be told apart there.",
                "Detach it, or capture another table.");
        var (tombstones, tombstoneWarnings) = options.Deletes == "off" ? (null, [])
            : await TombstoneTable.ReadAsync(connection, options.Schema, options.Table, oid, schema, cancellationToken);
        // Where the audit finds them, or a column tells, there need be none.
        if (tombstones is null && tombstoneWarnings.IsEmpty && options is { Deletes: "trigger", DeletedWhen: null or "" })
            tombstoneWarnings = [TombstoneTable.IsMissing(options.Schema, options.Table)];
        return new SourceTable(
            schema, oid, name,
            columns[timestamp].Type.Kind == ColumnKind.TimestampTz,
            tree.Trigger,
            await ExistsAsync(connection, IndexQuery, cancellationToken, (long)oid, attributes[timestamp].Number),
            capturesUpdates)
        {
            Unlogged = tree.Unlogged,
            DeletedWhen = options.DeletedWhen is { Length: > 0 } condition
                ? RowPredicate.Parse(condition, [.. all.Select(a => a.Name)], carried.Excluded, name)
                : null,
            Tombstones = tombstones,
            TombstoneWarnings = tombstoneWarnings,
            Inherits = tree.Inherits,
            Expressions = carried.Expressions,
            Excluded = carried.Excluded,
            ColumnWarnings =
            [
                .. carried.Warnings(),
                .. key.Select(k => attributes[k]).Where(a => a.Changed is not null).Select(a => a.Changed!.Warning(a.Name, name)),
            ],
            IsOrderInDoubt = key.Any(k => attributes[k].Changed is not null),
            KeyTypes = [.. key.Select(k => attributes[k].BaseFormat)],
            KeyCasts =
            [
                .. key.Select(k => attributes[k]).Select(a => a.Labels is null || a.Format == a.BaseFormat ? "" : $"::{a.BaseFormat}"),
            ],
            KeyLabels = string.Concat(key.Select(k => attributes[k].Labels is { } l ? $", {attributes[k].Name} LABELS {l}" : "")),
            KeyCollations = string.Concat(key.Select(k => attributes[k].Collation is { } c ? $", {attributes[k].Name} COLLATE {c}" : "")),
        };
    }

    internal static async Task<(uint Oid, char Kind, bool HidesRows)> FindAsync(
        NpgsqlConnection connection, PostgresOptions options, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            "SELECT c.oid, c.relkind, row_security_active(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            + "WHERE n.nspname = $1 AND c.relname = $2", connection)
        {
            Parameters = { new() { Value = options.Schema }, new() { Value = options.Table } },
        };
        await using (var reader = await command.ExecuteReaderAsync(cancellationToken))
            if (await reader.ReadAsync(cancellationToken))
                return (reader.GetFieldValue<uint>(0), reader.GetChar(1), reader.GetBoolean(2));
        throw Stop(
            $"There is no table {options.Table} in schema {options.Schema} of database {options.Db}.",
            await NearestTable.OfAsync(connection, options, cancellationToken)
            + "Create it (db/orders.sql does), or correct postgres.table, postgres.schema or ROLLNUMBER.");
    }

    private static async Task<List<SourceAttribute>> AttributesAsync(
        NpgsqlConnection connection, uint oid, CancellationToken cancellationToken)
    {
        // A domain is carried as its base type; an array by its element. A domain may stand on another one, hence the recursion.
        await using var command = new NpgsqlCommand(
            $"""
            WITH RECURSIVE base AS (
                SELECT a.attnum, t.oid, t.typtype, t.typbasetype, a.atttypmod AS typmod, t.typtypmod,
                       a.attnotnull OR t.typnotnull AS required
                FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
                WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
                UNION ALL
                SELECT b.attnum, t.oid, t.typtype, t.typbasetype,
                       CASE WHEN b.typtype = 'd' THEN b.typtypmod ELSE b.typmod END, t.typtypmod, b.required
                FROM base b JOIN pg_type t ON t.oid = b.typbasetype
                WHERE b.typtype = 'd'
            )
            SELECT a.attnum, a.attname, b.required, format_type(a.atttypid, a.atttypmod),
                   e.typname, e.typtype, b.typmod, is_array,
                   (SELECT format('%I.%I', n.nspname, c.collname) FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace
                    WHERE c.oid = a.attcollation AND a.attcollation <> d.typcollation),
                   {ChangedCollation.SelectOf(connection.PostgreSqlVersion)},
                   format_type(t.oid, b.typmod),
                   CASE WHEN e.typtype = 'e' THEN (
                       SELECT left(md5(string_agg(l.oid || ':' || l.enumlabel, ',' ORDER BY l.oid)), 8)
                       FROM pg_enum l WHERE l.enumtypid = e.oid) END
            FROM base b
            JOIN pg_attribute a ON a.attrelid = $1 AND a.attnum = b.attnum
            JOIN pg_type d ON d.oid = a.atttypid
            JOIN pg_type t ON t.oid = b.oid
            CROSS JOIN LATERAL (SELECT t.typcategory = 'A' AND t.typlen = -1 AND t.typelem <> 0) AS k (is_array)
            JOIN pg_type e ON e.oid = CASE WHEN is_array THEN t.typelem ELSE t.oid END
            WHERE b.typtype <> 'd'
            ORDER BY a.attnum
            """, connection) { Parameters = { new() { Value = (long)oid } } };
        var attributes = new List<SourceAttribute>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
            attributes.Add(new SourceAttribute(
                reader.GetInt16(0), reader.GetString(1), reader.GetBoolean(2), reader.GetString(3),
                reader.GetString(4), reader.GetChar(5), reader.GetInt32(6), reader.GetBoolean(7),
                reader.IsDBNull(8) ? null : reader.GetString(8),
                reader.IsDBNull(9) ? null : ChangedOf(reader.GetFieldValue<string?[]>(9)),
                reader.GetString(10), reader.IsDBNull(11) ? null : reader.GetString(11)));
        return attributes;
    }

    private static ChangedCollation ChangedOf(string?[] texts) => new(texts[0]!, texts[1]!, texts[2]);

    private static async Task<ImmutableArray<int>> KeyAsync(
        NpgsqlConnection connection, PostgresOptions options, uint oid, List<SourceAttribute> all, CarriedColumns carried, string table,
        CancellationToken cancellationToken)
    {
        var numbers = options.KeyColumns.Count == 0
            ? await PrimaryKeyAsync(connection, oid, table, cancellationToken)
            : options.KeyColumns.Select(k => all.Find(a => a.Name == k)?.Number
                ?? throw CarriedColumns.NoColumn(k, "key_columns", all.Select(a => a.Name), table)).ToArray();
        if (options.KeyColumns.Count > 0 && !await ExistsAsync(connection, UniqueQuery, cancellationToken, (long)oid, numbers))
            throw Stop(
                $"No unique index covers exactly the columns {string.Join(", ", options.KeyColumns)} of {table}.",
                "Create one, or name other postgres.key_columns.");
        var attributes = carried.Attributes;
        var key = numbers.Select(n => attributes.FindIndex(a => a.Number == n)).ToImmutableArray();
        if (key.IndexOf(-1) is >= 0 and var missing)
            throw Stop(
                $"Column {all.First(a => a.Number == numbers[missing]).Name} of {table} is part of the key and is not carried (its type is "
                + $"{all.First(a => a.Number == numbers[missing]).Format}).",
                "Take it out of postgres.exclude_columns, or into postgres.columns; or name other postgres.key_columns, where its type is "
                + "not known (docs/types.md lists those that are).");
        foreach (var k in key)
        {
            if (!carried.IsAsItIs(k))
                throw Stop(
                    $"Column {attributes[k].Name} of {table} is part of the key and is not carried as it is, but masked or as text "
                    + $"(its type is {attributes[k].Format}): rows could not be ordered by it.",
                    "Name other postgres.key_columns, or take it out of postgres.mask.");
            if (!attributes[k].NotNull)
                throw Stop(
                    $"Column {attributes[k].Name} of {table} is part of the key and may be NULL.",
                    "Make it NOT NULL, or name other postgres.key_columns.");
            if (attributes[k].IsArray || attributes[k].TypeName is "json")
                throw Stop(
                    $"Column {attributes[k].Name} of {table} is part of the key and of type {attributes[k].Format}, which has no order.",
                    "Name other postgres.key_columns.");
        }
        return key;
    }

    private static async Task<short[]> PrimaryKeyAsync(
        NpgsqlConnection connection, uint oid, string table, CancellationToken cancellationToken)
    {
        // Behind the key the index may carry other columns along (INCLUDE).
        await using var command = new NpgsqlCommand(
            "SELECT (indkey::int2[])[0:indnkeyatts - 1] FROM pg_index WHERE indrelid = $1 AND indisprimary AND indisvalid", connection)
        {
            Parameters = { new() { Value = (long)oid } },
        };
        return await command.ExecuteScalarAsync(cancellationToken) as short[]
            ?? throw Stop(
                $"Table {table} has no primary key that is valid.",
                "Add one (where the table is partitioned, on each of its partitions, too), "
                + "or name the columns of a unique index as postgres.key_columns.");
    }

    private static (int Index, bool CapturesUpdates) TimestampColumn(PostgresOptions options, CarriedColumns carried, string table)
    {
        var columns = carried.Columns;
        int Find(string name) => columns.IndexOf(columns.FirstOrDefault(c => c.Name == name)!);
        var configured = options.TimestampColumn;
        var index = configured is { Length: > 0 } ? Find(configured) : Find("updated_at") is >= 0 and var u ? u : Find("created_at");
        if (index < 0 && configured is { Length: > 0 } && carried.Excluded.Contains(configured))
            throw Stop(
                $"Column {configured} of {table}, which postgres.timestamp_column names, is not carried.",
                "Take it out of postgres.exclude_columns, or into postgres.columns; or name another postgres.timestamp_column.");
        if (index < 0 && configured is { Length: > 0 })
            throw CarriedColumns.NoColumn(configured, "timestamp_column", columns.Select(c => c.Name), table);
        if (index < 0)
            throw Stop(
                $"Table {table} has no column updated_at or created_at to order its rows by.",
                "Name a timestamptz column that every insert and update sets as postgres.timestamp_column; "
                + $"its columns are {string.Join(", ", columns.Select(c => c.Name))}.");
        if (columns[index].Type is not { Kind: ColumnKind.TimestampTz or ColumnKind.Timestamp, IsArray: false })
            throw Stop(
                $"Column {columns[index].Name} of {table} is of type {columns[index].Type.PostgresName}, and cannot order the rows.",
                "Name a timestamptz column as postgres.timestamp_column.");
        return (index, configured is { Length: > 0 } || columns[index].Name != "created_at");
    }

    private const string IndexQuery =
        "SELECT EXISTS (SELECT FROM pg_index WHERE indrelid = $1 AND indisvalid AND indpred IS NULL AND indkey[0] = $2)";

    // Rows are read in the order of the columns' own collations. One that is deterministic has no two texts in one place.
    private const string UniqueQuery =
        """
        SELECT EXISTS (
            SELECT FROM pg_index
            WHERE indrelid = $1 AND indisunique AND indisvalid AND indimmediate AND indpred IS NULL AND indexprs IS NULL
              AND (SELECT array_agg(k ORDER BY k) FROM unnest((indkey::int2[])[0:indnkeyatts - 1]) k)
                = (SELECT array_agg(k ORDER BY k) FROM unnest($2) k)
              AND NOT EXISTS (
                SELECT FROM unnest(indkey::int2[], indcollation::oid[]) i (number, sorts)
                JOIN pg_attribute a ON a.attrelid = indrelid AND a.attnum = i.number AND a.attnum = ANY ($2)
                JOIN pg_collation c ON c.oid = a.attcollation
                WHERE NOT c.collisdeterministic AND i.sorts <> a.attcollation))
        """;

    private static async Task<bool> ExistsAsync(
        NpgsqlConnection connection, string sql, CancellationToken cancellationToken, params object[] values)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        foreach (var value in values) command.Parameters.Add(new() { Value = value });
        return (bool)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    /// <exception cref="PipelineException">It is no table.</exception>
    internal static void CheckKind(char kind, string name)
    {
        if (kind is not ('r' or 'p'))
            throw Stop(
                $"{name} is {KindName(kind)}, and row versions cannot be told apart there.",
                "Name an ordinary or partitioned table as postgres.table.");
    }

    private static string KindName(char kind) => kind switch
    {
        'v' => "a view",
        'm' => "a materialized view",
        'f' => "a foreign table",
        _ => $"no table (relkind {kind})",
    };

    private static PipelineException Stop(string problem, string remedy) => new(FailureAction.Stop, problem, remedy);
}
