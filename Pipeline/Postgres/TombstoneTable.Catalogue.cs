using System.Collections.Immutable;
using Npgsql;
using OrdersStream.Diagnostics;
using OrdersStream.Rows;

namespace OrdersStream.Postgres;

/// <summary>
/// What the catalogue says of it and of the triggers that write into it. A delete that none of them writes down is not captured: so each
/// table that has rows is looked at, by the events that take a key away, as far as a trigger fires for all of them.
/// </summary>
public sealed partial record TombstoneTable
{
    /// <summary>The table of a source table, as the catalogue shows it now.</summary>
    /// <param name="connection">To the server.</param>
    /// <param name="schema">The schema of both.</param>
    /// <param name="table">The source table's name.</param>
    /// <param name="oid">Its oid.</param>
    /// <param name="columns">Its columns.</param>
    /// <param name="cancellationToken">Ends the asking.</param>
    /// <returns>Null: there is none that can be read; and what an operator should know of one that is there.</returns>
    internal static async Task<(TombstoneTable? Table, ImmutableArray<Advice> Warnings)> ReadAsync(
        NpgsqlConnection connection, string schema, string table, uint oid, TableSchema columns, CancellationToken cancellationToken)
    {
        var name = table + Suffix;
        var key = columns.KeyColumns.Select(k => columns.Columns[k]).ToList();
        await using var command = new NpgsqlCommand(Description, connection)
        {
            Parameters =
            {
                new() { Value = (long)oid }, new() { Value = name }, new() { Value = key.Select(k => k.Name).ToArray() },
                new() { Value = key.Where(k => HasEqualsThatReadOtherwise(k.Type)).Select(k => k.Name).ToArray() },
            },
        };
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        if (!await reader.ReadAsync(cancellationToken)) return (null, []);
        var found = Of(schema, name, columns, reader.GetFieldValue<uint>(4));
        var misfit = reader.IsDBNull(0) ? null : reader.GetString(0);
        if (reader.GetChar(5) != 'r') misfit = "it is no ordinary table";
        if (key.FirstOrDefault(k => k.Name is Number or Time) is { } taken)
            misfit = $"its column {taken.Name} has the name of one of the tombstones' own";
        if (misfit is not null)
            return (null, [new("deletes",
                $"{found.QualifiedName} does not fit the table's key ({misfit}), so deletes are not captured",
                "make it anew as db/orders.sql does")]);
        if (!reader.GetBoolean(1))
            return (null, [new("deletes",
                $"{found.QualifiedName} cannot be read, so deletes are not captured",
                $"GRANT SELECT, DELETE ON {found.QualifiedName} to the role")]);
        found = found with { IsRemovable = reader.GetBoolean(2) };
        return (found, [.. found.Warnings(
            reader.IsDBNull(3) ? null : reader.GetString(3), isUnlogged: reader.GetBoolean(6),
            reader.IsDBNull(7) ? null : reader.GetString(7))]);
    }

    /// <summary>What an operator should know of a table that has none.</summary>
    internal static Advice IsMissing(string schema, string table) => new("deletes",
        $"there is no table {Sql.Identifier(schema)}.{Sql.Identifier(table + Suffix)}, so deletes are not captured: the lake keeps each "
        + "row that is deleted",
        "make it and its triggers, as 'init --sql' prints them for the table; or set postgres.deletes to audit, which finds them later, "
        + "or to off, if it is to be so");

    /// <summary>1 and 1.00, 0 and -0 are equal to Postgres. Of texts their collation says it.</summary>
    private static bool HasEqualsThatReadOtherwise(ColumnType type) =>
        type is { Kind: ColumnKind.Numeric, Scale: null } or { Kind: ColumnKind.Real or ColumnKind.Double or ColumnKind.Jsonb };

    private IEnumerable<Advice> Warnings(string? missing, bool isUnlogged, string? loose)
    {
        if (!IsRemovable)
            yield return new("deletes",
                $"{QualifiedName} only grows, since the role may not remove what is published",
                $"GRANT DELETE ON {QualifiedName} to the role");
        if (missing is not null)
            yield return new("deletes",
                $"no trigger that always fires writes into {QualifiedName} {missing}, so such deletes are not captured (verify finds them)",
                "make the triggers as db/orders.sql does");
        if (loose is not null)
            yield return new("deletes",
                $"a key whose {loose} becomes an equal one that reads otherwise is not written into {QualifiedName}, so the lake keeps the "
                + "row under the old one, too (verify finds it)",
                "let the condition of the trigger on UPDATE compare the texts, too, as db/orders.sql does");
        if (isUnlogged)
            yield return new("deletes",
                $"{QualifiedName} is UNLOGGED: a crash of the server empties it, and deletes that were not published yet are not captured "
                + "(verify finds them)",
                $"ALTER TABLE {QualifiedName} SET LOGGED");
    }

    // A trigger's condition as the server keeps it: its text would have to be asked for under the table's lock, and who reads the catalogue
    // waits for nobody. OLD is the first of its two rows; column 0 is the whole row; 3189 is *<>, which compares rows byte by byte.
    private const string OldRow = "{VAR :varno 1 :varattno 0 ";
    private const string OldColumn = "{VAR :varno 1 :varattno %s ";
    private const string OldText = "{COERCEVIAIO :arg " + OldColumn;
    private const string Collated = "{COLLATEEXPR ";
    private const string OtherImage = ":opno 3189 ";

    // 8 DELETE, 16 UPDATE, 32 TRUNCATE, each with 1 for each row. A trigger for each statement is told the keys by its OLD TABLE, and fires
    // for the table that the statement names: so each table of the tree needs one. A condition is one of the row, so that deletes go past
    // it, and updates unless it looks at each column of the key.
    private const string Writers =
        $"""
        WITH RECURSIVE tree (oid) AS (
            SELECT $1::oid UNION SELECT i.inhrelid FROM tree t JOIN {TableTree.Children} ON i.inhparent = t.oid
        ), functions AS MATERIALIZED (
            SELECT p.oid FROM pg_proc p
            WHERE p.oid IN (SELECT t.tgfoid FROM pg_trigger t JOIN tree ON tree.oid = t.tgrelid) AND strpos({Code}, $2) > 0
        ), writers AS MATERIALIZED (
            SELECT t.tgrelid, t.tgtype::int AS type, t.tgqual::text AS condition
            FROM pg_trigger t JOIN tree ON tree.oid = t.tgrelid
            WHERE t.tgenabled = 'A' AND t.tgattr = ''::int2vector AND t.tgfoid IN (SELECT oid FROM functions)
              AND (t.tgtype & 33 <> 0 OR t.tgoldtable IS NOT NULL)
        ), covered AS (
            SELECT tree.oid, c.relkind, format('%I.%I', n.nspname, c.relname) AS name,
                   bool_or(w.type & 9 = 9 AND w.condition IS NULL) AS each_delete,
                   bool_or(w.type & 17 = 17 AND (w.condition IS NULL OR strpos(w.condition, '{OldRow}') > 0 OR (
                       SELECT bool_and(strpos(w.condition, format('{OldColumn}', a.attnum)) > 0)
                       FROM pg_attribute a WHERE a.attrelid = tree.oid AND a.attname = ANY ($3)))) AS each_update,
                   bool_or(w.type & 9 = 8 AND w.condition IS NULL) AS one_delete,
                   bool_or(w.type & 17 = 16 AND w.condition IS NULL) AS one_update,
                   bool_or(w.type & 32 <> 0) AS truncate
            FROM tree JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace
                 LEFT JOIN writers w ON w.tgrelid = tree.oid
            GROUP BY 1, 2, 3
        ), everywhere AS (
            SELECT count(*) AS tables, bool_and(one_delete IS TRUE) AS one_delete, bool_and(one_update IS TRUE) AS one_update FROM covered
        ), missing (place, event, table_oid, name) AS (
            SELECT event.place, event.name, covered.oid, covered.name
            FROM covered, everywhere, LATERAL (VALUES
                (1, 'on DELETE', each_delete IS TRUE OR everywhere.one_delete),
                (2, 'on UPDATE', each_update IS TRUE OR everywhere.one_update)) AS event (place, name, is_written)
            WHERE NOT is_written AND (relkind <> 'p' OR tables = 1)
            UNION ALL SELECT 3, 'on TRUNCATE', oid, name FROM covered WHERE oid = $1::oid AND truncate IS NOT TRUE
        )
        """;

    /// <summary>A function's words without its comments.</summary>
    private const string Code = """regexp_replace(regexp_replace(p.prosrc, '/\*.*?\*/', ' ', 'g'), '--[^\n]*', ' ', 'g')""";

    private const string Description =
        $"""
        {Writers}
        SELECT (SELECT string_agg(wanted.name, ', ')
                FROM (SELECT k, a.atttypid, a.atttypmod, a.attcollation
                      FROM unnest($3) k JOIN pg_attribute a ON a.attrelid = $1::oid AND a.attname = k
                      UNION ALL VALUES ('{Number}', 'bigint'::regtype::oid, -1, 0::oid),
                          ('{Time}', 'timestamptz'::regtype::oid, -1, 0::oid))
                     AS wanted (name, type, modifier, sorts)
                WHERE NOT EXISTS (SELECT FROM pg_attribute d WHERE d.attrelid = c.oid AND d.attname = wanted.name AND d.attnotnull
                                  AND d.atttypid = wanted.type AND d.atttypmod = wanted.modifier
                                  AND d.attcollation = wanted.sorts)),
               has_table_privilege(c.oid, 'SELECT') AND NOT row_security_active(c.oid), has_table_privilege(c.oid, 'DELETE'),
               (SELECT string_agg(
                    event || CASE WHEN tables = 1 AND is_root THEN '' ELSE ' of ' || name END
                        || CASE WHEN tables > 1 THEN format(' (and %s more)', tables - 1) ELSE '' END, ' and ' ORDER BY place)
                FROM (SELECT place, event, min(name) AS name, count(*) AS tables, bool_or(table_oid = $1::oid) AS is_root
                      FROM missing GROUP BY place, event) AS m),
               c.oid, c.relkind, c.relpersistence = 'u',
               (SELECT string_agg(k, ', ')
                FROM unnest($3) k JOIN pg_attribute a ON a.attrelid = $1::oid AND a.attname = k
                     LEFT JOIN pg_collation s ON s.oid = a.attcollation
                WHERE (k = ANY ($4) OR s.collisdeterministic IS FALSE) AND EXISTS (
                    SELECT FROM writers, LATERAL (
                        SELECT CASE WHEN s.collisdeterministic IS FALSE THEN '{Collated}' ELSE format('{OldText}', o.attnum) END
                        FROM pg_attribute o WHERE o.attrelid = tgrelid AND o.attname = k) AS words (looks)
                    WHERE type & 17 = 17 GROUP BY tgrelid
                    HAVING bool_and(condition IS NOT NULL AND strpos(condition, looks) = 0 AND strpos(condition, '{OtherImage}') = 0)))
        FROM pg_class c
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname = $2
          AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = $1::oid)
        """;
}
