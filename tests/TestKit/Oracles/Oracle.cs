using System.Globalization;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.TestKit.Oracles;

/// <summary>
/// Compares the lake with the table: for each key the lake's newest row version must be the table's row, value by
/// value, as two other programs print them.
/// </summary>
public sealed class Oracle(TestDatabase database, string qualifiedTable, IReadOnlyList<string> keyColumns, LakeReader lake)
{
    /// <summary>Nothing missing, nothing extra, nothing changed, no record stored twice (invariants 1 and 3).</summary>
    /// <param name="where">Which rows, in SQL that both databases know.</param>
    /// <param name="living">Rows of the table that count; the others are to be deleted.</param>
    public async Task LakeShouldEqualTableAsync(string where = "true", string living = "true")
    {
        var columns = await SourceColumn.OfAsync(database, qualifiedTable);
        var table = ByKey(
            columns, await database.TextRowsAsync($"SELECT {List(columns, c => c.PostgresText)} FROM {qualifiedTable} "
            + $"WHERE {where} AND {living}"));
        var stored = ByKey(columns, lake.Rows(NewestVersions(columns, where)));

        var missing = table.Keys.Except(stored.Keys).ToList();
        var extra = stored.Keys.Except(table.Keys).ToList();
        var changed = table.Where(t => stored.TryGetValue(t.Key, out var s) && !s.SequenceEqual(t.Value))
            .SelectMany(t => Differences(columns, t.Key, t.Value, stored[t.Key])).ToList();
        Assert.True(missing.Count + extra.Count + changed.Count == 0,
            $"the lake has {stored.Count} keys, the table {table.Count}\nmissing: {Some(missing)}\nextra: {Some(extra)}\nchanged: "
            + $"{Some(changed)}");
        NoRecordShouldBeStoredTwice();
    }

    /// <summary>Offsets of another generation are other records': the brokers lost those that had them before.</summary>
    public void NoRecordShouldBeStoredTwice() =>
        Assert.Empty(lake.Records().GroupBy(r => r).Where(g => g.Count() > 1).Select(g => $"{g.Count()} x {g.Key}"));

    private string NewestVersions(List<SourceColumn> columns, string where)
    {
        var key = string.Join(", ", keyColumns.Select(k => $"\"{k.Replace("\"", "\"\"")}\""));
        return $"SELECT {List(columns, c => c.DuckDbText)} FROM (SELECT *, row_number() OVER (PARTITION BY {key} "
            + $"ORDER BY _version DESC NULLS LAST, _offset DESC) AS _newest FROM {lake.Source} WHERE {where}) "
            + "WHERE _newest = 1 AND _op <> 'delete'";
    }

    private Dictionary<string, string?[]> ByKey(List<SourceColumn> columns, List<string?[]> rows)
    {
        var key = keyColumns.Select(k => columns.FindIndex(c => c.Name == k)).ToArray();
        return rows.Select(row => row.Select((text, i) => columns[i].Comparable(text)).ToArray())
            .ToDictionary(row => string.Join('|', key.Select(k => row[k])));
    }

    private static IEnumerable<string> Differences(List<SourceColumn> columns, string key, string?[] table, string?[] stored) =>
        columns.Select((c, i) => (c.Name, Table: table[i], Lake: stored[i])).Where(x => x.Table != x.Lake)
            .Select(x => $"[{key}] {x.Name}: table {x.Table ?? "NULL"}, lake {x.Lake ?? "NULL"}");

    private static string List(List<SourceColumn> columns, Func<SourceColumn, string> text) => string.Join(", ", columns.Select(text));

    private static string Some(List<string> items) =>
        items.Count == 0 ? "none" : string.Create(CultureInfo.InvariantCulture, $"{items.Count}: {string.Join(", ", items.Take(8))}");
}
