using System.Globalization;
using DuckDB.NET.Data;

namespace OrdersStream.TestKit.Oracles;

/// <summary>The lake as a reader meets it: DuckDB over <c>**/*.parquet</c>, knowing nothing of the product.</summary>
public sealed class LakeReader(string path)
{
    // To open a database and its threads costs far more than a query does: one for all, which each query has a connection to.
    private const string Database = "DataSource=:memory:?cache=shared";
    private static readonly DuckDBConnection First = OpenFirst();

    public string Path { get; } = path;

    public IReadOnlyList<string> Files =>
        Directory.Exists(Path)
            ? [.. Directory.EnumerateFiles(Path, "*.parquet", SearchOption.AllDirectories).Order(StringComparer.Ordinal)] : [];

    /// <summary>Quarantined records, one JSON object a line.</summary>
    public IReadOnlyList<string> QuarantineLines =>
        Directory.Exists(Path)
            ? [
                .. Directory.EnumerateFiles(Path, "*.jsonl", SearchOption.AllDirectories)
                    .Order(StringComparer.Ordinal).SelectMany(File.ReadLines)]
            : [];

    /// <summary>What stands for the lake in a FROM clause.</summary>
    public string Source => $"read_parquet('{Path.Replace("'", "''")}/**/*.parquet', hive_partitioning = false, union_by_name = true)";

    /// <summary>All rows of a query, each value as text; no row where the lake has no file.</summary>
    public List<string?[]> Rows(string sql)
    {
        var rows = new List<string?[]>();
        if (Files.Count == 0) return rows;
        using var connection = First.Duplicate();
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        using var reader = command.ExecuteReader();
        while (reader.Read())
        {
            var row = new string?[reader.FieldCount];
            for (var i = 0; i < row.Length; i++)
                row[i] = reader.IsDBNull(i) ? null : Convert.ToString(reader.GetValue(i), CultureInfo.InvariantCulture);
            rows.Add(row);
        }
        return rows;
    }

    public long Count() => Files.Count == 0 ? 0 : long.Parse(Rows($"SELECT count(*) FROM {Source}")[0][0]!, CultureInfo.InvariantCulture);

    /// <summary>A row is a version with its timestamp: the same one twice was stored twice (invariant 3).</summary>
    /// <param name="serverStarts">As for a topic's.</param>
    public void ShouldHoldEachRowVersionOnce(int serverStarts = 0)
    {
        var twice = Rows($"SELECT COLUMNS('^[^_]'), count(*) FROM {Source} GROUP BY ALL HAVING count(*) > {1 + serverStarts}");
        Assert.True(twice.Count == 0, $"{twice.Count} row versions are more than once in the lake");
        Assert.Empty(QuarantineLines);
    }

    /// <summary>Every (partition, offset) that is there, in order: one that is there twice shows as two.</summary>
    public List<(int Partition, long Offset)> Positions() =>
    [
        .. Rows($"SELECT _partition, _offset FROM {Source} ORDER BY 1, 2")
            .Select(r => (int.Parse(r[0]!, CultureInfo.InvariantCulture), long.Parse(r[1]!, CultureInfo.InvariantCulture)))
    ];

    /// <summary>The same with the generation that the file's name tells; empty: the first.</summary>
    public List<(string Partition, string Generation, string Offset)> Records() =>
    [
        .. Rows($"SELECT _partition, regexp_extract(filename, 'part-[0-9]+g([0-9]+)-[^/]*$', 1), _offset FROM {SourceWithNames}")
            .Select(r => (r[0]!, r[1]!, r[2]!))
    ];

    private static DuckDBConnection OpenFirst()
    {
        var connection = new DuckDBConnection(Database);
        connection.Open();
        using var command = connection.CreateCommand();
        // Each query by the thread that asks, and of the files as they are.
        command.CommandText = "SET threads = 1; SET enable_external_file_cache = false";
        command.ExecuteNonQuery();
        return connection;
    }

    private string SourceWithNames => Source[..^1] + ", filename = true)";
}
