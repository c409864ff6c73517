using System.Text.Json;
using System.Text.RegularExpressions;
using OrdersStream.Postgres;
using OrdersStream.Rows;
using OrdersStream.UnitTests.ParquetFormat;
using OrdersStream.UnitTests.Store;

namespace OrdersStream.UnitTests.Stack;

/// <summary>
/// Each query that the documents give to readers finds the newest version of each row, also of a key that went on in another partition,
/// at smaller offsets.
/// </summary>
public sealed class ReaderQueriesTests
{
    private const string OldRule =
        "SELECT * FROM read_parquet('$lake/**/*.parquet', union_by_name = true) "
        + "QUALIFY row_number() OVER (PARTITION BY order_id ORDER BY _offset DESC) = 1";

    private static readonly string[] Newest = ["1 PLACED", "2 PLACED", "7 moved"];

    private static readonly string[] NewestOfMixed =
        ["1 second page", "2 first page", "3 PLACED", "4 moved again", "5 PLACED", "6 update 2", "7 PLACED", "8 DELIVERED"];

    public static TheoryData<string> Documents() => [.. ReaderQueries.Documents];

    [Theory, MemberData(nameof(Documents))]
    public async Task duckdb_finds_the_newest_versions(string document)
    {
        using var lake = await NewLakeAsync();
        Assert.Equal(Newest, DuckDbRows(ReaderQueries.Of(document, ReaderQueries.DuckDbRows, lake.Root)));
        Assert.Contains("7 PLACED", DuckDbRows(OldRule.Replace("$lake", lake.Root)));
    }

    [Fact]
    public async Task duckdb_finds_them_where_files_of_both_formats_are()
    {
        using var earlier = await MixedLakeAsync();
        Assert.Equal(NewestOfMixed, DuckDbRows(ReaderQueries.Of("datalake/README.md", ReaderQueries.DuckDbRows, earlier.Lake.Root)));
        Assert.DoesNotContain("4 moved again", DuckDbRows(OldRule.Replace("$lake", earlier.Lake.Root)));
    }

    [Theory]
    [MemberData(nameof(Documents))]
    public async Task pandas_finds_the_newest_versions(string document)
    {
        using var lake = await NewLakeAsync();
        Assert.Equal(Newest, await PandasRowsAsync(ReaderQueries.Of(document, "to_pandas", lake.Root)));
    }

    [Fact]
    public async Task pandas_finds_them_where_files_of_both_formats_are()
    {
        using var earlier = await MixedLakeAsync();
        Assert.Equal(NewestOfMixed, await PandasRowsAsync(ReaderQueries.Of("datalake/README.md", "to_pandas", earlier.Lake.Root)));
    }

    /// <summary>Those for Spark, too, which nothing here runs.</summary>
    [Theory, MemberData(nameof(Documents))]
    public void every_query_orders_by_version_and_then_by_offset(string document)
    {
        var queries = ReaderQueries.All(document).ToList();
        Assert.Equal(document == "README.md" ? 3 : 4, queries.Count);
        Assert.All(queries, q => Assert.Matches(@"_version\W[^\n]*_offset\W", q));
        var spark = Assert.Single(queries, q => q.Contains("spark.read"));
        Assert.Contains("datetimeRebaseMode=\"CORRECTED\"", spark);
        // A column of the query's own is named as a table's hardly is.
        Assert.Equal(["_newest"], Regex.Matches(spark, "withColumn\\(\"(\\w+)\"").Select(m => m.Groups[1].Value));
    }

    /// <summary>Each order once, whatever became of it, and a column that was added, though it is not in the first file.</summary>
    [Theory, MemberData(nameof(Documents))]
    public async Task duckdb_shows_orders_with_the_columns_that_were_added(string document)
    {
        using var lake = await OrdersAsync();
        var query = ReaderQueries.Of(document, ReaderQueries.DuckDbRows, lake.Root);
        Assert.Equal(Orders, DuckDb.Query("", $"SELECT order_id, order_status, amount::VARCHAR, tip FROM ({query}) ORDER BY order_id")
            .Select(r => $"{r[0]} {r[1]} {r[2]} {r[3] ?? "none"}"));
    }

    [Theory, MemberData(nameof(Documents))]
    public async Task pandas_shows_orders_with_the_columns_that_were_added(string document)
    {
        using var lake = await OrdersAsync();
        var output = await Python.RunAsync(
            $"import json\nimport pandas as pd\n{ReaderQueries.Of(document, "to_pandas", lake.Root)}\n"
            + "rows = orders.sort_values('order_id')\nshown = zip(rows['order_id'], rows['order_status'], rows['amount'], rows['tip'])\n"
            + "print(json.dumps([f\"{i} {s} {a} {'none' if pd.isna(t) else int(t)}\" for i, s, a, t in shown]))");
        Assert.Equal(Orders, JsonSerializer.Deserialize<List<string>>(output)!);
    }

    [Fact]
    public async Task what_counts_orders_counts_each_once()
    {
        using var lake = await OrdersAsync();
        string[] queries =
        [
            .. ReaderQueries.Commands("README.md", lake.Root), ReaderQueries.Of("datalake/README.md", "sum(amount)", lake.Root),
        ];
        Assert.Equal(3, queries.Length);
        Assert.All(queries, query => Assert.Equal(
            ["DELIVERED 2 30", "PLACED 1 5"], DuckDb.Query("", query).Select(r => Shown(r)).Order()));
    }

    private static string Shown(object?[] row) => FormattableString.Invariant($"{row[0]} {row[1]} {row[2]}");

    private static readonly string[] Orders = ["1 DELIVERED 10.00 none", "2 PLACED 5.00 none", "3 DELIVERED 20.00 9007199254740993"];

    /// <summary>With the columns of db/orders.sql that the documents name, and one that came later.</summary>
    private static async Task<TestLake> OrdersAsync()
    {
        var first = new TableSchema(
            [
                new Column("order_id", new ColumnType(ColumnKind.BigInt, "bigint"), false),
                new Column("order_status", new ColumnType(ColumnKind.Text, "text"), false),
                new Column("amount", new ColumnType(ColumnKind.Numeric, "numeric(10,2)", 10, 2), false),
                new Column("updated_at", new ColumnType(ColumnKind.TimestampTz, "timestamp with time zone"), false),
            ], [0], 3);
        var second = new TableSchema([.. first.Columns, new Column("tip", new ColumnType(ColumnKind.BigInt, "bigint"), true)], [0], 3);
        static string Row(long id, string status, string amount) =>
            $$"""{"order_id":{{id}},"order_status":"{{status}}","amount":{{amount}},"updated_at":"2026-03-01T00:00:00.000000Z"}""";
        var lake = new TestLake();
        lake.Topic.Framed(0, 1, [1, 2], schema: first, value: id => Row(id, "PLACED", id == 1 ? "10.00" : "5.00"));
        lake.Topic.Framed(0, 2, [1], previous: 1, schema: first, value: id => Row(id, "DELIVERED", "10.00"));
        await lake.StoreAsync(lake.Topic.All);
        // Which no floating-point number is.
        lake.Topic.Framed(
            0, 3, [3], previous: 2, schema: second, value: id => Row(id, "DELIVERED", "20.00")[..^1] + ",\"tip\":9007199254740993}");
        await lake.StoreAsync(lake.Topic.All);
        // An order that is gone, one that was never there, and one that is there again.
        lake.Topic.Framed(0, 4, [8], previous: 3, schema: second, value: id => Row(id, "PLACED", "99.00")[..^1] + ",\"tip\":9}");
        lake.Topic.Deletes(0, 5, ["2", "8", "77"], previous: 4, schema: TombstoneTable.Of("public", "orders_deletes", second).Deletes);
        lake.Topic.Framed(0, 6, [2], previous: 5, schema: first, value: id => Row(id, "PLACED", "5.00"));
        await lake.StoreAsync(lake.Topic.All);
        return lake;
    }

    /// <summary>Page 1 has a key in partition 2, behind others; page 2 has it in a partition that the topic got meanwhile.</summary>
    private static async Task<TestLake> NewLakeAsync()
    {
        var lake = new TestLake();
        lake.Topic.Framed(2, 1, [1, 2, 7]);
        lake.Topic.Framed(5, 2, [7], value: id => TestTopic.Row(id).Replace("PLACED", "moved"));
        lake.Topic.Framed(2, 3, [9], previous: 1);
        lake.Topic.Deletes(5, 4, ["9"], previous: 2);
        await lake.StoreAsync(lake.Topic.All);
        return lake;
    }

    private static async Task<EarlierLake> MixedLakeAsync()
    {
        var earlier = new EarlierLake();
        earlier.SendPages();
        await earlier.Lake.StoreAsync(earlier.Lake.Topic.All);
        return earlier;
    }

    private static List<string> DuckDbRows(string query) =>
        [.. DuckDb.Query("", $"SELECT order_id::VARCHAR || ' ' || status FROM ({query}) ORDER BY order_id").Select(r => (string)r[0]!)];

    private static async Task<List<string>> PandasRowsAsync(string program)
    {
        var output = await Python.RunAsync(
            $"import json\nimport pandas as pd\n{program}\n"
            + "rows = orders.sort_values('order_id')\n"
            + "print(json.dumps([f'{i} {s}' for i, s in zip(rows['order_id'], rows['status'])]))");
        return JsonSerializer.Deserialize<List<string>>(output)!;
    }
}
