using System.Collections.Immutable;
using Npgsql;
using OrdersStream.Diagnostics;
using OrdersStream.Rows;

namespace OrdersStream.Postgres;

/// <summary>
/// The table in which triggers of the source table write down the keys of rows that are gone: deleted, truncated, or under another key
/// by now. Its rows come by transactions, as the table's do, and so are in windows by the same rule. A delete is published where the
/// table has no row of the key in the snapshot that the tombstone is read in: so it says what is so then, as a row does, whatever
/// became of the key before, and in whichever order.
/// </summary>
/// <param name="Oid">Its oid.</param>
/// <param name="QualifiedName">Quoted, for statements.</param>
/// <param name="Rows">The columns that are read: the key's, then the tombstone's number, by which they are read in order.</param>
/// <param name="Deletes">The source table's columns as a delete has them: all but the key's may be NULL.</param>
public sealed record TombstoneTable(uint Oid, string QualifiedName, TableSchema Rows, TableSchema Deletes)
{
    /// <summary>Its name is the source table's with this behind it, in the same schema.</summary>
    public const string Suffix = "_deletes";

    private const string Number = "delete_id";
    private const string Time = "deleted_at";

    /// <summary>The role may remove what is published and old.</summary>
    public bool IsRemovable { get; init; } = true;

    /// <summary>The table of a source table whose columns are these.</summary>
    /// <param name="schema">Name of the schema of both.</param>
    /// <param name="name">Its name.</param>
    /// <param name="table">The source table's columns.</param>
    /// <param name="oid">Its oid; 0: there is none, and only its shape is asked for.</param>
    public static TombstoneTable Of(string schema, string name, TableSchema table, uint oid = 0)
    {
        var key = table.KeyColumns.Select(k => table.Columns[k]).ToImmutableArray();
        var number = new Column(Number, new ColumnType(ColumnKind.BigInt, "bigint"), Nullable: false);
        var others = table.Columns.Select((c, i) => table.KeyColumns.Contains(i) ? c : c with { Nullable = true });
        return new TombstoneTable(
            oid,
            $"{Sql.Identifier(schema)}.{Sql.Identifier(name)}",
            new TableSchema(key.Add(number), [.. Enumerable.Range(0, key.Length)], key.Length),
            new TableSchema([.. others], table.KeyColumns, table.TimestampColumn));
    }

    /// <summary>The tombstones of a window that say something, behind its cursor of them, as the SELECT of a COPY.</summary>
    /// <param name="window">Which transactions' they are.</param>
    /// <param name="table">The source table.</param>
    /// <param name="last">Up to this tombstone; null: to the last.</param>
    public string Query(Window window, SourceTable table, Cursor? last = null)
    {
        var conditions = new List<string> { IsIn(window.To, "d.xmin") };
        if (window is { From: { } from, IsOfAllTombstones: false }) conditions.Add($"NOT {from.Contains("d.xmin")}");
        if (window is { LowerBound: { } bound, IsOfAllTombstones: false }) conditions.Add($"d.{Time} >= {Sql.Timestamp(bound)}");
        if (window.Deleted is { } behind) conditions.Add($"d.{Number} > {NumberOf(behind)}");
        if (last is not null) conditions.Add($"d.{Number} <= {NumberOf(last)}");
        conditions.Add(IsGone(table));
        return $"{Select(table)} FROM {QualifiedName} d WHERE {string.Join(" AND ", conditions)} ORDER BY d.{Number}";
    }

    /// <summary>Of some keys those that the table has no row of, as tombstones would be, as the SELECT of a COPY.</summary>
    /// <param name="table">The source table.</param>
    /// <param name="keys">As texts that Postgres reads back; at least one.</param>
    public static string Gone(SourceTable table, ImmutableArray<ImmutableArray<string>> keys) =>
        $"{Select(table)} FROM (VALUES {string.Join(", ", keys.Select((k, i) => $"({table.KeyLiteral(k)}, {i}::bigint)"))}) "
        + $"AS d ({table.Key}, {Number}) WHERE {IsGone(table)}";

    /// <summary>What a window was begun with is not there any more: the next session finds what is.</summary>
    internal static PipelineException IsAnother(Exception? cause = null) => new(FailureAction.Retry,
        "The table of deletes became another, or unreadable, while a window was begun.",
        "All that is in it is read with the next one.", cause);

    private static string Select(SourceTable table) => $"SELECT {string.Join(", ", table.KeyColumns.Select(k => $"d.{k}"))}, d.{Number}";

    // Equal keys may print otherwise, and are two keys to the lake then.
    private static string IsGone(SourceTable table)
    {
        var isSame = string.Join(" AND ", table.KeyColumns.Select(k => $"t.{k} = d.{k} AND t.{k}::text = d.{k}::text"));
        var isLiving = table.DeletedWhen is null ? "" : $" AND {table.IsLiving}";
        return $"NOT EXISTS (SELECT FROM {table.QualifiedName} t WHERE {isSame}{isLiving})";
    }

    /// <summary>The tombstones that a horizon does not have, as the SELECT of a COPY.</summary>
    /// <param name="horizon">Null, or without this table's: all of them.</param>
    /// <param name="table">The source table.</param>
    public string NotIn(Horizon? horizon, SourceTable table) =>
        $"{Select(table)} FROM {QualifiedName} d" + (horizon?.Tombstones == Oid ? $" WHERE NOT {IsIn(horizon, "d.xmin")}" : "");

    /// <summary>The rows that count as deleted and that a horizon does not have, as tombstones would be, as the SELECT of a COPY.</summary>
    /// <param name="horizon">Null: all of them.</param>
    /// <param name="table">The source table.</param>
    public static string MarkedNotIn(Horizon? horizon, SourceTable table) =>
        $"SELECT {table.Key}, 0::bigint FROM {table.QualifiedName} WHERE {table.IsMarked}"
        + (horizon is null ? "" : $" AND NOT {horizon.Contains("xmin")}");

    /// <summary>Transactions at or above H whose tombstones are visible, for a union with those of the table's rows.</summary>
    public string Seen(Horizon horizon)
    {
        var recent = horizon.LowerBound is { } bound ? $" AND {Time} >= {Sql.Timestamp(bound)}" : "";
        return $"SELECT xmin::text FROM {QualifiedName} WHERE age(xmin) BETWEEN 0 AND age('{(uint)horizon.Xmin}'::xid){recent}";
    }

    /// <summary>
    /// Removes what is published, and was so long ago: until then a position may have to be gone back to.
    /// </summary>
    /// <param name="published">The horizon up to which everything is.</param>
    /// <param name="then">The one that was it so long ago.</param>
    /// <param name="rowsMax">Tombstones at once.</param>
    public string Remove(Horizon published, Horizon then, int rowsMax) =>
        $"DELETE FROM {QualifiedName} WHERE {Number} IN (SELECT {Number} FROM {QualifiedName} d "
        + $"WHERE {IsIn(then, "d.xmin")} AND {IsIn(published, "d.xmin")} "
        + $"ORDER BY d.{Number} LIMIT {rowsMax})";

    private static string IsIn(Horizon horizon, string xid) =>
        horizon.LowerBound is { } bound ? $"({horizon.Contains(xid)} OR d.{Time} < {Sql.Timestamp(bound)})" : horizon.Contains(xid);

    private static string NumberOf(Cursor cursor) => $"{Sql.Literal(cursor.Timestamp!)}::bigint";

    /// <summary>The table of a source table, as the catalogue shows it now.</summary>
    /// <param name="connection">To the server.</param>
    /// <param name="schema">The schema of both.</param>
    /// <param name="table">The source table's name.</param>
    /// <param name="oid">Its oid.</param>
    /// <param name="columns">Its columns.</param>
    /// <param name="cancellationToken">Ends the asking.</param>
    /// <returns>Null: there is none that can be read; and what an operator should know of it.</returns>
    internal static async Task<(TombstoneTable? Table, ImmutableArray<Advice> Warnings)> ReadAsync(
        NpgsqlConnection connection, string schema, string table, uint oid, TableSchema columns, CancellationToken cancellationToken)
    {
        var name = table + Suffix;
        await using var command = new NpgsqlCommand(Description, connection)
        {
            Parameters =
            {
                new() { Value = (long)oid }, new() { Value = name },
                new() { Value = columns.KeyColumns.Select(k => columns.Columns[k].Name).ToArray() },
            },
        };
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        if (!await reader.ReadAsync(cancellationToken)) return (null, []);
        var found = Of(schema, name, columns, reader.GetFieldValue<uint>(4));
        var misfit = reader.IsDBNull(0) ? null : reader.GetString(0);
        if (columns.KeyColumns.Select(k => columns.Columns[k].Name).FirstOrDefault(k => k is Number or Time) is { } taken)
            misfit = $"its column {taken} has the name of one of the tombstones' own";
        if (misfit is not null)
            return (null, [new("deletes",
                $"{found.QualifiedName} does not fit the table's key ({misfit}), so deletes are not captured",
                "make it anew as db/orders.sql does")]);
        if (!reader.GetBoolean(1))
            return (null, [new("deletes",
                $"{found.QualifiedName} cannot be read, so deletes are not captured",
                $"GRANT SELECT, DELETE ON {found.QualifiedName} to the role")]);
        found = found with { IsRemovable = reader.GetBoolean(2) };
        var warnings = ImmutableArray.CreateBuilder<Advice>();
        if (!found.IsRemovable)
            warnings.Add(new("deletes",
                $"{found.QualifiedName} only grows, since the role may not remove what is published",
                $"GRANT DELETE ON {found.QualifiedName} to the role"));
        if (!reader.IsDBNull(3))
            warnings.Add(new("deletes",
                $"no trigger that always fires writes into {found.QualifiedName} {reader.GetString(3)}, so such deletes are not captured "
                + "(verify finds them)",
                "make the triggers as db/orders.sql does"));
        return (found, warnings.ToImmutable());
    }

    // Of each event the triggers whose function names the table: 8 DELETE, 16 UPDATE, 32 TRUNCATE.
    private const string Description =
        $"""
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
               (SELECT string_agg(e.name, ' and ')
                FROM (VALUES (8, 'on DELETE'), (16, 'on UPDATE'), (32, 'on TRUNCATE')) AS e (bit, name)
                WHERE NOT EXISTS (SELECT FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
                                  WHERE t.tgrelid = $1::oid AND t.tgtype & e.bit <> 0 AND t.tgenabled = 'A'
                                    AND strpos(p.prosrc, $2) > 0)),
               c.oid
        FROM pg_class c
        WHERE c.relkind = 'r' AND c.relname = $2 AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = $1::oid)
        """;
}
