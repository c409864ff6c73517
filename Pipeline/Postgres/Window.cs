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
public sealed record Window(long Number, Horizon? From, Horizon To, DateTime? LowerBound, int Page, Cursor? Cursor, long Rows = 0)
{
    /// <summary>
    /// The whole table is read in key order: a table loaded in one transaction has one updated_at for all rows, and
    /// ordering by that would sort the whole table for each page.
    /// </summary>
    public bool IsInKeyOrder => From is null && LowerBound is null;

    /// <summary>The rest of the window behind its cursor, as the SELECT of a COPY.</summary>
    public string Query(SourceTable table)
    {
        var schema = table.Schema;
        var ts = Sql.Identifier(schema.Columns[schema.TimestampColumn].Name);
        var nullableTs = schema.Columns[schema.TimestampColumn].Nullable;
        var key = string.Join(", ", schema.KeyColumns.Select(k => Sql.Identifier(schema.Columns[k].Name)));
        var conditions = new List<string> { To.Contains("xmin") };
        if (From is not null) conditions.Add($"NOT {From.Contains("xmin")}");
        if (LowerBound is { } bound) conditions.Add(table.NotBelow(bound));
        if (Cursor is not null) conditions.Add(Behind(Cursor, schema, ts, key, nullableTs));
        return $"{table.SelectRows} WHERE {string.Join(" AND ", conditions)} ORDER BY {(IsInKeyOrder ? key : $"{ts}, {key}")}";
    }

    private string Behind(Cursor cursor, TableSchema schema, string ts, string key, bool nullableTs)
    {
        var keyValues = string.Join(
            ", ", cursor.Key.Select((k, i) => $"{Sql.Literal(k)}::{schema.Columns[schema.KeyColumns[i]].Type.PostgresName}"));
        if (IsInKeyOrder) return $"({key}) > ({keyValues})";
        // Nulls sort last: behind a row without a timestamp there are only others without one.
        if (cursor.Timestamp is null) return $"({ts} IS NULL AND ({key}) > ({keyValues}))";
        var tsValue = $"{Sql.Literal(cursor.Timestamp)}::{schema.Columns[schema.TimestampColumn].Type.PostgresName}";
        var behind = $"({ts}, {key}) > ({tsValue}, {keyValues})";
        return nullableTs ? $"({behind} OR {ts} IS NULL)" : behind;
    }
}

/// <summary>The next window, and why it reads rows again where it does.</summary>
/// <param name="Window">What to read.</param>
/// <param name="Reason">Empty: an ordinary window.</param>
internal sealed record WindowPlan(Window Window, string Reason)
{
    public bool IsReread => Reason.Length > 0;

    /// <summary>Half of the 32-bit circle: older transaction ids cannot be compared with present ones.</summary>
    private const ulong ComparableTransactions = 1UL << 31;

    /// <summary>Decides the bounds of the next window (invariant 1).</summary>
    /// <param name="number">Its number.</param>
    /// <param name="last">The horizon up to which everything is published; null: nothing is yet.</param>
    /// <param name="to">The horizon just taken.</param>
    /// <param name="rewound">The source went back in time since <paramref name="last"/>.</param>
    /// <param name="overlap">How far to read back then.</param>
    public static WindowPlan Next(long number, Horizon? last, Horizon to, bool rewound, TimeSpan overlap)
    {
        if (last is null) return new(new Window(number, null, to, null, 0, null), "");
        if (rewound)
            return Reread(number, last, to, overlap,
                "the server was promoted, restored or restarted without synchronous commits, "
                + "so committed rows may have vanished and others taken their transaction ids");
        if (to.Xmax - last.Xmin >= ComparableTransactions)
            return Reread(number, last, to, overlap, "the last position is more than two billion transactions old");
        if (to.TakenAt < last.TakenAt)
        {
            var back = to.TakenAt - overlap;
            return new(new Window(number, last, to, Least(last.LowerBound, back), 0, null), "the database's clock went back");
        }
        return new(new Window(number, last, to, last.LowerBound, 0, null), "");
    }

    private static WindowPlan Reread(long number, Horizon last, Horizon to, TimeSpan overlap, string reason) =>
        new(new Window(number, null, to, Least(last.LowerBound - overlap, to.TakenAt - overlap), 0, null), reason);

    private static DateTime? Least(DateTime? a, DateTime b) => a is null ? null : a < b ? a : b;
}
