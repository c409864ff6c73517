using System.Text.Json;
using System.Text.RegularExpressions;
using OrdersStream.Audit;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Lake.Files;
using OrdersStream.Rows;
using OrdersStream.UnitTests.ParquetFormat;
using OrdersStream.UnitTests.Stack;

namespace OrdersStream.UnitTests.Store;

/// <summary>
/// No column vanishes behind a folder: whatever rows are divided by, readers find each value of each column as it is in the table, by the
/// shortest way that they have to read a folder.
/// </summary>
public sealed class LakeLayoutTests : IDisposable
{
    /// <summary>Of names and values that a folder's name could be taken for.</summary>
    private static readonly TableSchema Table = new(
        [
            new Column("order_id", new ColumnType(ColumnKind.BigInt, "bigint"), false),
            new Column("order_date", new ColumnType(ColumnKind.Timestamp, "timestamp without time zone"), true),
            new Column("status", new ColumnType(ColumnKind.Text, "text"), true),
            new Column("Number", new ColumnType(ColumnKind.Integer, "integer"), true),
            new Column("is_paid", new ColumnType(ColumnKind.Boolean, "boolean"), true),
            new Column("created_at", new ColumnType(ColumnKind.TimestampTz, "timestamp with time zone"), true),
            new Column("updated_at", new ColumnType(ColumnKind.TimestampTz, "timestamp with time zone"), false),
        ], [0], 6);

    private static readonly string[] Rows =
    [
        """{"order_id":1,"order_date":"2026-03-01T13:45:10.123456","status":"1","Number":1,"is_paid":true}""",
        """{"order_id":2,"order_date":"2026-03-01T00:00:00.000000","status":"","Number":null,"is_paid":false}""",
        """{"order_id":3,"order_date":null,"status":null,"Number":-7,"is_paid":null}""",
        """{"order_id":4,"order_date":"2025-12-31T23:59:59.999999","status":"A/b=ü %41","Number":2147483647,"is_paid":true}""",
        """{"order_id":5,"order_date":"2026-03-02T01:00:00.000000","status":"true","Number":0,"is_paid":false}""",
    ];

    private static readonly string[] Expected =
    [
        "1|2026-03-01 13:45:10.123456|<1>|1|true", "2|2026-03-01 00:00:00|<>|-|false", "3|-|-|-7|-",
        "4|2025-12-31 23:59:59.999999|<A/b=ü %41>|2147483647|true", "5|2026-03-02 01:00:00|<true>|0|false",
    ];

    private readonly TestLake lake = new();

    public void Dispose() => lake.Dispose();

    public static TheoryData<string> Divisions => ["order_date", "status", "Number", "is_paid", "order_id", "created_at", "none"];

    [Theory, MemberData(nameof(Divisions))]
    public async Task duckdb_reads_every_column_as_it_is(string partitionBy)
    {
        await StoreAsync(partitionBy);
        foreach (var files in (string[])["'$lake/**/*.parquet'", "read_parquet('$lake/**/*.parquet', hive_partitioning = true)"])
            if (partitionBy != "none" || !files.Contains("hive")) Assert.Equal(Expected, DuckDbRows(files));
    }

    [Theory, MemberData(nameof(Divisions))]
    public async Task pandas_reads_every_column_as_it_is(string partitionBy)
    {
        await StoreAsync(partitionBy);
        Assert.Equal(Expected, await PandasRowsAsync($"rows = pd.read_parquet({JsonSerializer.Serialize(lake.Root)})"));
    }

    [Fact]
    public async Task the_folders_have_the_name_that_is_configured()
    {
        await StoreAsync("created_at", folderName: "date");
        Assert.Equal(["date=2026-03-01"], Folders());
        Assert.Equal(Expected, DuckDbRows("read_parquet('$lake/**/*.parquet', hive_partitioning = true) WHERE date >= '2026-03-01'"));
        Assert.Empty(DuckDbRows("read_parquet('$lake/**/*.parquet', hive_partitioning = true) WHERE date >= '2026-03-02'"));
        Assert.Equal(Expected, DuckDbRows("read_parquet('$lake/**/*.parquet', hive_partitioning = true)"));
        Assert.Empty(Warnings());
    }

    /// <summary>As an earlier version left them; that is all that is seen of it.</summary>
    [Theory]
    [InlineData("order_date", "order_date=2026-01-01")]
    [InlineData("status", "status=PLACED")]
    public async Task a_lake_of_an_earlier_version_goes_on_with_its_names_and_says_what_they_hide(string partitionBy, string folder)
    {
        Directory.CreateDirectory(Path.Combine(lake.Root, folder));
        await StoreAsync(partitionBy);
        await lake.AssertStoredOnceAsync();
        Assert.All(Folders(), name => Assert.StartsWith($"{partitionBy}=", name));
        Assert.StartsWith(
            $"folders of the lake are named {partitionBy}=..., as an earlier version named them, and column {partitionBy} of the table is",
            Assert.Single(Warnings()));
        // What the warning tells of, and its remedy.
        Assert.NotEqual(Expected, DuckDbRows("'$lake/**/*.parquet'"));
        Assert.Equal(Expected, DuckDbRows($"({ReaderQueries.Of("datalake/README.md", ReaderQueries.DuckDbRows, lake.Root)})"));
        Assert.Equal(Expected, await PandasRowsAsync(
            ReaderQueries.Of("datalake/README.md", "to_pandas", lake.Root) + "\nrows = orders.sort_values('order_id')"));
    }

    [Fact]
    public async Task folders_of_other_names_are_told()
    {
        await StoreAsync("status");
        Assert.Empty(Warnings());
        await StoreAsync("Number");
        Assert.StartsWith("the lake has folders named by_status=..., and new ones are named otherwise", Assert.Single(Warnings()));
        await lake.AssertStoredOnceAsync();
        Assert.Equal(Expected.Concat(Expected).Order(), DuckDbRows(
            "read_parquet('$lake/**/*.parquet', hive_partitioning = false)").Order());
    }

    /// <summary>The commit names its files: they are given these names whatever new ones would be called.</summary>
    [Theory]
    [InlineData(CrashPoint.DataFileSynced)]
    [InlineData(CrashPoint.CommitCreated)]
    [InlineData(CrashPoint.DataFileRenamed)]
    public async Task another_name_between_a_crash_and_the_next_start_loses_and_doubles_nothing(CrashPoint at)
    {
        Directory.CreateDirectory(Path.Combine(lake.Root, "status=PLACED"));
        lake.Datalake = lake.Datalake with { PartitionBy = "status" };
        Send();
        using (var dies = lake.NewInstance(point => { if (point == at) throw new CrashException(); }))
            await Assert.ThrowsAsync<CrashException>(() => dies.StoreAsync(lake.Topic.All, TestContext.Current.CancellationToken));
        lake.Datalake = lake.Datalake with { FolderName = "kind" };
        Send();
        await lake.StoreAsync(lake.Topic.All);
        await lake.AssertStoredOnceAsync();
        Assert.Contains(Folders(), name => name.StartsWith("kind=", StringComparison.Ordinal));
    }

    /// <summary>As the failure asks: its message names the file that accepts the loss, and no more is needed than to make it.</summary>
    [Fact]
    public async Task a_folder_that_was_removed_with_all_its_files_is_gone_on_without_once_that_is_accepted()
    {
        await StoreAsync("order_id");
        foreach (var folder in Folders()) Directory.Delete(Path.Combine(lake.Root, folder), recursive: true);
        Send();
        var gone = await Assert.ThrowsAsync<PipelineException>(() => lake.StoreAsync(lake.Topic.All));
        var marker = Regex.Match(gone.Remedy, "create the empty file '([^']+)'").Groups[1].Value;
        File.WriteAllText(marker, "");
        var result = await lake.StoreAsync(lake.Topic.All);
        Assert.Equal((5, 5), (result.Rows, result.AlreadyStored));
        Assert.Equal(5, (await lake.StoredAsync()).Count);
    }

    /// <summary>As a Spark job leaves them that wrote to the same folder before.</summary>
    [Fact]
    public async Task files_of_another_program_are_told_and_stop_a_comparison_by_name()
    {
        await StoreAsync("order_date");
        const string foreign = "date=2026-03-01/part-00000-3f0b2c1e-0000-4000-8000-000000000000.c000.snappy.parquet";
        Directory.CreateDirectory(Path.Combine(lake.Root, "_spark_metadata"));
        Directory.CreateDirectory(Path.Combine(lake.Root, "date=2026-03-01"));
        File.WriteAllText(Path.Combine(lake.Root, foreign), "Spark's");
        File.WriteAllText(Path.Combine(lake.Root, "_spark_metadata", "0"), "v1");
        using (var instance = lake.NewInstance())
            for (var session = 0; session < 2; session++)
            {
                Send();
                // Each batch of its own is a session.
                await instance.OpenBatchAsync(TestContext.Current.CancellationToken);
                await instance.StoreAsync(lake.Topic.All, TestContext.Current.CancellationToken);
            }
        Assert.Single(lake.Log.Lines, l => l.Id == 3020 && l.Text.Contains(
            "files that this program has not written, such as '", StringComparison.Ordinal));
        Assert.Empty(Warnings());

        using var folder = new TempFolder();
        using var index = NewIndex(folder["audit"]);
        var stop = await Assert.ThrowsAsync<PipelineException>(() => index.BuildAsync(null, TestContext.Current.CancellationToken));
        Assert.Contains("date=*/part-00000-3f0b2c1e", stop.Problem);
        File.Delete(Path.Combine(lake.Root, foreign));
        using var mended = NewIndex(folder["again"]);
        await mended.BuildAsync(null, TestContext.Current.CancellationToken);
        Assert.Equal(15, mended.Rows);
    }

    private LakeIndex NewIndex(string folder) =>
        new(new LakeFolder(lake.Root), lake.Topic.Identity.Topic, Table, new SchemaStore(lake.Checkpoint).Read, folder, versionsMax: 5);

    private async Task StoreAsync(string partitionBy, string? folderName = null)
    {
        lake.Datalake = lake.Datalake with { PartitionBy = partitionBy, FolderName = folderName };
        Send();
        await lake.StoreAsync(lake.Topic.All);
    }

    private void Send() => lake.Topic.Framed(
        0, ++page, [1, 2, 3, 4, 5], previous: page - 1, schema: Table,
        value: id => Rows[id - 1][..^1] + ""","created_at":"2026-03-01T08:00:00.000000Z","updated_at":"2026-03-02T08:00:00.000000Z"}""");

    private long page;

    private IEnumerable<string> Warnings() => lake.Log.Lines.Where(l => l.Id is 3018 or 3019).Select(l => l.Text);

    private List<string> Folders() =>
        [.. lake.Files().Where(f => f.Contains('=')).Select(f => f[..f.IndexOf('/')]).Distinct()];

    private List<string> DuckDbRows(string from) =>
    [
        .. DuckDb.Query("",
            "SELECT concat_ws('|', order_id, coalesce(order_date::VARCHAR, '-'), coalesce('<' || status || '>', '-'), "
            + $"coalesce(\"Number\"::VARCHAR, '-'), coalesce(is_paid::VARCHAR, '-')) FROM {from.Replace("$lake", lake.Root)} "
            + "ORDER BY order_id")
            .Select(r => (string)r[0]!),
    ];

    private static async Task<List<string>> PandasRowsAsync(string program)
    {
        var output = await Python.RunAsync($$"""
            import json
            import pandas as pd
            {{program}}
            rows = rows.sort_values("order_id").astype(object)
            def text(value, shown): return "-" if pd.isna(value) else shown(value)
            print(json.dumps(["|".join([
                str(r["order_id"]), text(r["order_date"], lambda v: v.isoformat(sep=" ")), text(r["status"], lambda v: f"<{v}>"),
                text(r["Number"], lambda v: str(int(v))), text(r["is_paid"], lambda v: str(v).lower())]) for _, r in rows.iterrows()]))
            """);
        return JsonSerializer.Deserialize<List<string>>(output)!;
    }
}
