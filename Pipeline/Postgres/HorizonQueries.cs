using System.Collections.Immutable;

namespace OrdersStream.Postgres;

/// <summary>What a horizon asks of the table's rows.</summary>
internal static class HorizonQueries
{
    /// <summary>
    /// One is enough if it stays as it was. Only the newest: where they all changed, an older one would not tell updates from a volume that
    /// was put back and updated again, and what had been captured in between would stay the newest in the lake.
    /// </summary>
    private const int WitnessesMax = 8;

    /// <summary>Transactions at or above H with visible rows or tombstones: one more than the limit, if there are so many.</summary>
    /// <remarks>
    /// Rows below the bound are in by their time, and later windows begin at it. Their ids may have been given again, four billion
    /// transactions later, to one that is open now: its rows would pass for seen. Where later windows look below the bound, too, they read
    /// such rows again: once more than needed is not wrong, and passed over is. Where no id can have been given twice yet, those of all
    /// times are told while later windows look at rows of any time: else each of these would bring them again.
    /// </remarks>
    /// <param name="table">The source table.</param>
    /// <param name="horizon">Its H, and its bound.</param>
    /// <param name="limit">How many are remembered.</param>
    /// <param name="isOfAnyTime">The next window has rows of any time.</param>
    public static string Seen(SourceTable table, Horizon horizon, int limit, bool isOfAnyTime = false)
    {
        var recent = horizon.LowerBound is { } bound && !(isOfAnyTime && horizon.HasNoOldIds) ? $"AND {table.NotBelow(bound)} " : "";
        var deleted = table.Tombstones is { } tombstones ? $"UNION {tombstones.Seen(horizon)} " : "";
        return $"SELECT DISTINCT xmin::text FROM {table.QualifiedName} "
            + $"WHERE age(xmin) BETWEEN 0 AND age('{(uint)horizon.Xmin}'::xid) {recent}{deleted}LIMIT {limit + 1}";
    }

    /// <summary>The witnesses. A time of the future would stay the newest for long.</summary>
    /// <remarks>
    /// By the table's column, named in full: its name alone is the result's, whose text no index orders, and the whole table is read.
    /// </remarks>
    public static string Newest(SourceTable table, DateTime clock) =>
        $"{SelectWitness(table)} WHERE {table.Timestamp} <= {table.Literal(clock)} "
        + $"ORDER BY {table.QualifiedName}.{table.Timestamp} DESC LIMIT {WitnessesMax}";

    /// <summary>The rows of the witnesses' keys; where one's is not known, those that have a witness's time.</summary>
    public static string Witnesses(SourceTable table, ImmutableArray<RowWitness> newest)
    {
        if (newest.All(w => w.Key is not null))
        {
            var keys = string.Join(", ", newest.Select(w => $"({table.KeyLiteral(w.Key!.Value)})"));
            return $"{SelectWitness(table)} WHERE ({table.ComparedKey}) IN (VALUES {keys})";
        }
        var times = string.Join(", ", newest.Select(w => $"{Sql.Literal(w.Timestamp)}::{table.TimestampType}"));
        return $"{SelectWitness(table)} WHERE {table.Timestamp} = ANY (ARRAY[{times}]::{table.TimestampType}[])";
    }

    private static string SelectWitness(SourceTable table)
    {
        var key = string.Join(", ", table.KeyColumns.Select(k => $"{k}::text"));
        return $"SELECT xmin::text, {table.Timestamp}::text, {key} FROM {table.QualifiedName}";
    }
}
