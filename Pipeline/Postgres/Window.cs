using System.Collections.Immutable;
using System.Text.Json.Serialization;
using OrdersStream.Rows;

namespace OrdersStream.Postgres;

/// <summary>
/// The row versions between two horizons: not visible at <see cref="From"/>, visible at <see cref="To"/> (invariants 1, 2).
/// Without <see cref="From"/> it is the initial load, or what has to be read again after the source went back in time.
/// </summary>
/// <param name="Number">Counts up over the stream's life.</param>
/// <param name="From">Null: every row visible at <paramref name="To"/>, from <paramref name="LowerBound"/> on.</param>
/// <param name="LowerBound">Least value of the ordering column; null: none.</param>
/// <param name="Page">Pages published so far.</param>
/// <param name="Cursor">The last row published; null: none yet.</param>
/// <param name="Rows">Row versions published so far.</param>
/// <param name="Joined">Oids of tables that became part of the table since <paramref name="From"/>: all of their rows are in.</param>
/// <param name="IsOfAnyTime">Rows of any time may have been written since <paramref name="From"/>.</param>
/// <param name="Order">By what its cursor is a place (<see cref="SourceTable.Order"/>); null: not known.</param>
public sealed record Window(
    long Number, Horizon? From, Horizon To, DateTime? LowerBound, int Page, Cursor? Cursor, long Rows = 0,
    ImmutableArray<uint>? Joined = null, bool IsOfAnyTime = false, string? Order = null)
{
    /// <summary>Only these of its rows; null: all.</summary>
    [JsonIgnore]
    public RowSelection? Only { get; init; }

    /// <summary>The last tombstone published; null: none yet. Tombstones come before the window's rows.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Cursor? Deleted { get; init; }

    /// <summary>The last row published as deleted, of those that count as such; null: none yet. They come behind the tombstones.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Cursor? Marked { get; init; }

    /// <summary>
    /// Which tombstones were published before is not known, since the horizon before has none of their table: all are read that are visible
    /// at <see cref="To"/>. Those that were published say what is so once more.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool IsOfAllTombstones { get; init; }

    /// <summary>No row of it is published yet, so tombstones may be left.</summary>
    [JsonIgnore]
    public bool IsBeforeRows => Cursor is null && Only is null;

    /// <summary>
    /// The whole table is read in key order: a table loaded in one transaction has one updated_at for all rows, and
    /// ordering by that would sort the whole table for each page.
    /// </summary>
    public bool IsInKeyOrder => LowerBound is null && (From is null || IsOfAnyTime);

    /// <summary>
    /// The window where its cursor still means a place; where the table has another key by now, from its beginning on. By another ordering
    /// column its rows have any time.
    /// </summary>
    public Window For(SourceTable table)
    {
        if (Order == table.Order) return this;
        if (Order is null) return this with { Order = table.Order };
        var again = ReadBy(table.Schema) with { Order = table.Order, Cursor = null, Marked = null, Deleted = null };
        return To.Facts?.IsOrderedBy(table.Schema) != false ? again : again with { LowerBound = null, IsOfAnyTime = From is not null };
    }

    /// <summary>
    /// The window where the table of tombstones is the one that its horizon has; where it is another by now, or cannot be read, the horizon
    /// answers for none, and the next window reads all.
    /// </summary>
    public Window Reading(TombstoneTable? tombstones) =>
        To.Tombstones == tombstones?.Oid ? this : this with { To = To with { Tombstones = null }, Deleted = null };

    /// <summary>The window, of which a page was read by such columns.</summary>
    public Window ReadBy(TableSchema schema)
    {
        var facts = To.Facts?.ReadBy(schema);
        return facts == To.Facts ? this : this with { To = To with { Facts = facts } };
    }

    /// <summary>The rest of the window behind its cursor, as the SELECT of a COPY.</summary>
    /// <param name="table">The table.</param>
    /// <param name="last">Up to this row; null: to the window's end.</param>
    public string Query(SourceTable table, Cursor? last = null) => Query(table, table.SelectRows, table.IsLiving, Cursor, last);

    /// <summary>Of those of its rows that count as deleted, the rest: their places in the order.</summary>
    /// <inheritdoc cref="Query(SourceTable, Cursor?)"/>
    public string MarkedQuery(SourceTable table, Cursor? last = null) => Query(table, table.SelectPlaces, table.IsMarked, Marked, last);

    private string Query(SourceTable table, string select, string state, Cursor? cursor, Cursor? last)
    {
        var schema = table.Schema;
        var ts = Sql.Identifier(schema.Columns[schema.TimestampColumn].Name);
        var nullableTs = schema.Columns[schema.TimestampColumn].Nullable;
        var conditions = new List<string> { To.ContainsRowOf(table) };
        if (IsNewer(table) is { Length: > 0 } newer) conditions.Add(newer);
        if (table.DeletedWhen is not null) conditions.Add(state);
        if (cursor is not null) conditions.Add(Behind(cursor, table, ts, nullableTs));
        if (last is not null) conditions.Add($"NOT ({Behind(last, table, ts, nullableTs)})");
        if (Only is not null) conditions.AddRange(Only.Conditions(table));
        return $"{select} WHERE {string.Join(" AND ", conditions)} ORDER BY {(IsInKeyOrder ? table.Key : $"{ts}, {table.Key}")}";
    }

    // By time the later window could not tell a row that the earlier one read from one that came since: by id it can.
    private string IsNewer(SourceTable table)
    {
        var conditions = new List<string>();
        if (From is not null) conditions.Add($"NOT {From.Contains("xmin")}");
        if (LowerBound is { } bound) conditions.Add(table.NotBelow(bound));
        var newer = string.Join(" AND ", conditions);
        return Joined is { Length: > 0 } joined && newer.Length > 0
            ? $"({newer} OR tableoid = ANY ('{{{string.Join(',', joined)}}}'::oid[]))"
            : newer;
    }

    private string Behind(Cursor cursor, SourceTable table, string ts, bool nullableTs)
    {
        var (key, keyValues) = (table.ComparedKey, table.KeyLiteral(cursor.Key));
        if (IsInKeyOrder) return $"({key}) > ({keyValues})";
        // Nulls sort last: behind a row without a timestamp there are only others without one.
        if (cursor.Timestamp is null) return $"({ts} IS NULL AND ({key}) > ({keyValues}))";
        var tsValue = $"{Sql.Literal(cursor.Timestamp)}::{table.TimestampType}";
        var behind = $"({ts}, {key}) > ({tsValue}, {keyValues})";
        return nullableTs ? $"({behind} OR {ts} IS NULL)" : behind;
    }
}
