using System.Collections.Immutable;
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
public sealed partial record TombstoneTable(uint Oid, string QualifiedName, TableSchema Rows, TableSchema Deletes)
{
    /// <summary>Its name is the source table's with this behind it, in the same schema.</summary>
    public const string Suffix = "_deletes";

    internal const string Number = "delete_id";
    internal const string Time = "deleted_at";

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

    // Equal keys may print otherwise, and are two keys to the lake then; so may texts, by the collation of their column.
    private static string IsGone(SourceTable table)
    {
        var isSame = string.Join(
            " AND ", table.KeyColumns.Zip(
                table.KeyCasts, (k, cast) => $"t.{k}{cast} = d.{k}{cast} AND t.{k}::text COLLATE \"C\" = d.{k}::text COLLATE \"C\""));
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
}
