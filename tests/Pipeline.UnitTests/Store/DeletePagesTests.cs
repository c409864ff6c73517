using System.Collections.Immutable;
using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.Lake.Files;
using OrdersStream.Rows;

namespace OrdersStream.UnitTests.Store;

/// <summary>A record without a value is a delete where its page says so, and nobody's row anywhere else.</summary>
public sealed class DeletePagesTests : IDisposable
{
    private readonly TestLake lake = new();
    private TestTopic Topic => lake.Topic;

    public void Dispose() => lake.Dispose();

    [Theory, InlineData(false), InlineData(true)]
    public async Task a_delete_is_a_row_of_its_key_and_nothing_else(bool isNamed)
    {
        await lake.StoreAsync(
        [
            .. Topic.Framed(0, 1, [1, 2, 3], isNamed: isNamed), .. Topic.Deletes(0, 2, ["1", "3", "77"], previous: 1, isNamed: isNamed),
            .. Topic.Framed(0, 3, [3], previous: 2, isNamed: isNamed),
        ]);

        Assert.Equal(
            [
                (1, "upsert", 1, true), (2, "upsert", 1, true), (3, "upsert", 1, true), (1, "delete", 2, false), (3, "delete", 2, false),
                (77, "delete", 2, false), (3, "upsert", 3, true),
            ],
            await RowsAsync());
        Assert.Empty(lake.Quarantined());
        await lake.AssertStoredOnceAsync();
    }

    /// <summary>By day of creation, of which a delete knows nothing; by key, of which it does.</summary>
    [Theory, InlineData("order_date", "by_order_date=null"), InlineData("order_id", "by_order_id=5"), InlineData("none", "")]
    public async Task a_delete_lies_in_the_folder_of_its_key_or_of_no_value(string partitionBy, string folder)
    {
        lake.Datalake = lake.Datalake with { PartitionBy = partitionBy };
        await lake.StoreAsync(Topic.Deletes(0, 1, ["5"]));
        Assert.Equal(folder, Path.GetDirectoryName(Assert.Single(lake.Files(), f => f.EndsWith(".parquet", StringComparison.Ordinal))));
    }

    [Fact]
    public async Task a_record_without_a_value_and_without_a_frame_is_in_quarantine_whatever_it_says_of_itself()
    {
        await lake.StoreAsync(
        [
            .. Topic.Framed(0, 1, [1]), Topic.Produce(0, null, key: "1"),
            Topic.Produce(0, null, [TestTopic.Header(StreamHeader.Op, "delete")], key: "1"),
        ]);
        Assert.Equal([(1, "upsert", 1, true)], await RowsAsync());
        Assert.All(Reasons(), r => Assert.Equal("the record has no value", r));
        Assert.Equal(2, Reasons().Count());
    }

    /// <summary>What cannot be told from a record of the page by its place can by what it lacks.</summary>
    [Theory, InlineData(false), InlineData(true)]
    public async Task a_strangers_record_between_deletes_is_no_delete(bool isNamed)
    {
        await lake.StoreAsync(
        [
            .. Topic.Framed(0, 1, [1, 2, 3], isNamed: isNamed),
            .. Topic.Deletes(0, 2, ["1", "2"], previous: 1, isNamed: isNamed, between: () => Topic.Produce(0, null, key: "3")),
        ]);
        Assert.Equal(["1", "2"], (await RowsAsync()).Where(r => r.Op == "delete").Select(r => $"{r.Id}"));
        Assert.Equal(["the record has no value"], Reasons());
    }

    [Fact]
    public async Task a_delete_in_a_page_of_rows_is_none()
    {
        var records = Topic.Framed(0, 1, [1, 2, 3]);
        records[1] = records[1] with { Value = null, Headers = [TestTopic.Header(StreamHeader.Op, "delete")] };
        await lake.StoreAsync(records);
        Assert.Equal([(1, "upsert", 1, true), (3, "upsert", 1, true)], await RowsAsync());
        Assert.Equal(["the record has no value"], Reasons());
    }

    [Fact]
    public async Task a_key_that_is_none_of_the_schema_is_in_quarantine()
    {
        await lake.StoreAsync(Topic.Deletes(0, 1, ["1", "x", "1,2"]));
        Assert.Equal([(1, "delete", 1, false)], await RowsAsync());
        Assert.Equal(2, Reasons().Count());
    }

    /// <summary>A program that sends them by a schema whose columns have to have values is none of ours.</summary>
    [Fact]
    public async Task deletes_by_a_schema_whose_columns_are_not_null_are_in_quarantine()
    {
        await lake.StoreAsync(Topic.Deletes(0, 1, ["1"], schema: TestTopic.Orders));
        Assert.Equal(["a delete has no value for column \"updated_at\", which is NOT NULL"], Reasons());
    }

    /// <summary>Their shape is no other's: a producer that names none sends rows of the table's.</summary>
    [Fact]
    public async Task what_follows_deletes_without_a_schema_is_by_the_one_before_them()
    {
        await lake.StoreAsync(
        [
            .. Topic.Framed(0, 1, [1]), .. Topic.Deletes(0, 2, ["1"], previous: 1),
            Topic.Produce(0, TestTopic.Row(5).Replace("\"2026-03-01T00:00:00.000000Z\"", "null", StringComparison.Ordinal)),
        ]);
        Assert.Equal([(1, "upsert", 1, true), (1, "delete", 2, false)], await RowsAsync());
        Assert.Contains("NOT NULL", Assert.Single(Reasons()), StringComparison.Ordinal);
    }

    [Fact]
    public async Task a_page_of_deletes_that_is_sent_again_or_torn_counts_once()
    {
        var deletes = Topic.Deletes(0, 2, ["1", "2"]);
        await lake.StoreAsync([.. deletes, .. Topic.Deletes(0, 2, ["1", "2"])]);
        await lake.StoreAsync(Topic.Deletes(0, 3, ["3"], previous: 2));
        Assert.Equal([(1, "delete", 2, false), (2, "delete", 2, false), (3, "delete", 3, false)], await RowsAsync());
        Assert.Empty(lake.Quarantined());
    }

    private IEnumerable<string> Reasons() => lake.Quarantined().Select(q => q.GetProperty("reason").GetString()!);

    private async Task<List<(long Id, string Op, long Version, bool HasValues)>> RowsAsync()
    {
        var rows = new List<(long Offset, (long, string, long, bool) Row)>();
        var (store, files) = (new SchemaStore(lake.Checkpoint), new LakeFolder(lake.Root));
        foreach (var file in LakeReader.Files(files))
            await foreach (var row in new LakeReader(files, store.Read).ReadAsync(file, CancellationToken.None))
                rows.Add((row.Offset, (row.Row.Cells[0].Bits, row.Op, row.Version, row.Row.Cells.Skip(1).Any(c => !c.IsNull))));
        return [.. rows.OrderBy(r => r.Offset).Select(r => r.Row)];
    }
}
