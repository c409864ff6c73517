using OrdersStream.Audit;
using OrdersStream.Lake;
using OrdersStream.Lake.Files;
using OrdersStream.UnitTests.ParquetFormat;
using OrdersStream.UnitTests.Stack;

namespace OrdersStream.UnitTests.Store;

/// <summary>The program goes on behind a lake of topic format 1.</summary>
public sealed class EarlierLakeTests : IDisposable
{
    private readonly EarlierLake earlier = new();
    private TestLake Lake => earlier.Lake;
    private TestTopic Topic => Lake.Topic;

    public void Dispose() => earlier.Dispose();

    [Fact]
    public void its_watermark_is_gone_on_from()
    {
        var watermark = earlier.Watermark;
        Assert.Equal((0, 3, int.MaxValue), watermark.Position);
        Assert.Equal((744UL, 15L), (watermark.Horizon!.Xmin, watermark.Rows));
        Assert.Equal([KeyValuePair.Create(0, 10L), KeyValuePair.Create(1, 7L), KeyValuePair.Create(2, 7L)], watermark.Offsets);
        Assert.True((watermark with { PageNumber = 1, WindowNumber = 1 }).Position.CompareTo(watermark.Position) > 0);
    }

    [Fact]
    public async Task its_rows_are_read_and_older_than_any_version()
    {
        var rows = await RowsAsync();
        Assert.Equal(EarlierLake.Rows, rows.Count);
        Assert.All(rows, r => Assert.Equal(-1, r.Version));
        Assert.Equal(
            Topic.All.Where(EarlierLake.HasStored).Select(r => (r.Partition, r.Offset)).Order(), await Lake.StoredAsync());
    }

    /// <summary>Delivered from the topic's beginning or from where the lake ends, record by record or all at once.</summary>
    [Theory]
    [InlineData(true, 1)]
    [InlineData(true, 1_000)]
    [InlineData(false, 1)]
    [InlineData(false, 1_000)]
    public async Task the_storer_goes_on_behind_it_first_with_format_1_then_with_format_2(bool fromBeginning, int atOnce)
    {
        earlier.SendPages();
        using (var instance = Lake.NewInstance())
            foreach (var records in Topic.All.Where(r => fromBeginning || !EarlierLake.HasStored(r)).Chunk(atOnce))
                await instance.StoreAsync(records, TestContext.Current.CancellationToken);

        await Lake.AssertStoredOnceAsync();
        Assert.Single(Lake.Quarantined());
        Assert.Equal(
            [(-1, EarlierLake.Rows), (0, 6), (1, 3), (2, 2)],
            (await RowsAsync()).GroupBy(r => r.Version).OrderBy(g => g.Key).Select(g => (g.Key, g.Count())));
        Assert.Empty(Lake.Gaps);
        // All folders of a lake have one name: readers refuse two.
        Assert.All(Lake.Files().Where(f => f.EndsWith(".parquet", StringComparison.Ordinal)), f => Assert.StartsWith("order_date=", f));
        await Lake.StoreAsync(Topic.All);
        await Lake.AssertStoredOnceAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task a_lost_log_is_rebuilt_from_files_of_both_formats(bool hasPages)
    {
        if (hasPages)
        {
            earlier.SendPages();
            await Lake.StoreAsync(Topic.All);
        }
        var files = Lake.Files();
        Directory.Delete(Path.Combine(Lake.Checkpoint, "commits"), recursive: true);
        if (!hasPages) earlier.SendPages();
        await Lake.StoreAsync(Topic.All);
        await Lake.AssertStoredOnceAsync();
        if (hasPages) Assert.Equal(files, Lake.Files());
    }

    [Fact]
    public async Task the_audit_and_the_readers_take_the_same_versions_for_the_newest_in_files_of_both_formats()
    {
        earlier.SendPages();
        await Lake.StoreAsync(Topic.All);
        using var folder = new TempFolder();
        using var index = new LakeIndex(
            new LakeFolder(Lake.Root), Topic.Identity.Topic, earlier.Table, earlier.Schemas.Read, folder["audit"], versionsMax: 5);
        await index.BuildAsync(null, TestContext.Current.CancellationToken);

        var query = ReaderQueries.Of("datalake/README.md", ReaderQueries.DuckDbRows, Lake.Root);
        var read = DuckDb.Query(Lake.Root, $"SELECT _partition, _offset, order_id, status FROM ({query})");
        Assert.Equal((8, 0, 23), (read.Count, index.StoredTwice, index.Rows));
        Assert.Equal(
            index.NeverFound().Select(v => (v.Partition, v.Offset)).Order(),
            read.Select(r => ((int)r[0]!, (long)r[1]!)).Order());
        Assert.Equal("moved again", read.Single(r => (long)r[2]! == EarlierLake.KeyThatMoves)[3]);
    }

    private async Task<List<(int Partition, long Offset, long Version)>> RowsAsync()
    {
        var found = new List<(int Partition, long Offset, long Version)>();
        var folder = new LakeFolder(Lake.Root);
        foreach (var file in LakeReader.Files(folder))
            await foreach (var row in new LakeReader(folder, earlier.Schemas.Read).ReadAsync(file, TestContext.Current.CancellationToken))
                found.Add((row.Partition, row.Offset, row.Version));
        return found;
    }
}
