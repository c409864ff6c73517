using OrdersStream.Diagnostics;
using OrdersStream.Lake;
using OrdersStream.Lake.Files;
using OrdersStream.Rows;

namespace OrdersStream.UnitTests.Store;

/// <summary>A schema header holds until the next one, from batch to batch.</summary>
public sealed class SchemaInForceTests : IDisposable
{
    private static readonly TableSchema Wider = new(
        [.. TestTopic.Orders.Columns, new Column("note", new ColumnType(ColumnKind.Text, "text"), true)], [0], 3);

    private readonly TestLake lake = new();

    private LakeFolder Place => new(lake.Root);
    private TestTopic Topic => lake.Topic;

    public void Dispose() => lake.Dispose();

    [Fact]
    public async Task a_column_added_in_mid_batch_begins_files_of_its_own_schema()
    {
        new SchemaStore(lake.Checkpoint).Write(Wider);
        Topic.Page(0, 2);
        Topic.Page(0, 2, Wider, i => WiderRow(i));
        Topic.Page(0, 2);
        await lake.StoreAsync(Topic.All);
        await lake.AssertStoredOnceAsync();
        var footers = await Task.WhenAll(LakeReader.Files(Place).Select(f => LakeReader.ReadFooterAsync(Place, f, CancellationToken.None)));
        Assert.Equal(
            [(TestTopic.Orders.Fingerprint, 0, 7, 4), (Wider.Fingerprint, 3, 4, 2)],
            footers.Select(f => (f.SchemaFingerprint, f.FirstOffset, f.LastOffset, f.Rows)));
        Assert.Empty(lake.Quarantined());
    }

    [Fact]
    public async Task a_batch_that_begins_in_mid_page_has_the_schema_of_the_one_before()
    {
        Topic.Page(0, 4);
        await lake.StoreAsync([.. Topic[0].Take(2)]);
        await lake.StoreAsync([.. Topic[0].Skip(2)]);
        await lake.AssertStoredOnceAsync();
        Assert.Empty(lake.Quarantined());
        Assert.Empty(lake.Gaps);
    }

    [Fact]
    public async Task after_an_accepted_loss_the_last_schema_goes_on()
    {
        await lake.StoreAsync(Topic.Page(0, 2));
        Topic.Page(0, 9);
        Topic.Remove(0, below: 6);
        Directory.CreateDirectory(lake.PartitionLog(0));
        File.WriteAllBytes(Path.Combine(lake.PartitionLog(0), "accept-loss-from-3"), []);
        await lake.StoreAsync([.. Topic[0].Where(r => r.Offset >= 6)]);
        Assert.Empty(lake.Quarantined());
        Assert.Equal([0L, 1, 6, 7, 8, 9, 10, 11], (await lake.StoredAsync()).Select(s => s.Offset));
    }

    [Fact]
    public async Task a_topic_without_our_headers_is_stored_by_the_tables_present_schema()
    {
        lake.PresentSchema = _ => Task.FromResult(TestTopic.Orders);
        for (var i = 0; i < 3; i++) Topic.Produce(0, TestTopic.Row(i), [TestTopic.Header("schema", "their own")]);
        await lake.StoreAsync(Topic.All);
        await lake.AssertStoredOnceAsync();
        Assert.Empty(lake.Quarantined());
    }

    [Fact]
    public async Task a_table_altered_under_a_topic_without_our_headers_is_asked_again()
    {
        var present = TestTopic.Orders;
        lake.PresentSchema = _ => Task.FromResult(present);
        Topic.Produce(0, TestTopic.Row(0));
        await lake.StoreAsync(Topic.All);
        present = Wider;
        Topic.Produce(0, WiderRow(1));
        Topic.Produce(0, "no row of either");
        Topic.Produce(0, WiderRow(2));
        await lake.StoreAsync(Topic.All);
        await lake.AssertStoredOnceAsync();
        Assert.Equal([2L], lake.Quarantined().Select(q => q.GetProperty("offset").GetInt64()));
    }

    [Fact]
    public async Task without_headers_and_without_the_table_it_stops()
    {
        Topic.Produce(0, TestTopic.Row(0));
        var e = await Assert.ThrowsAsync<PipelineException>(() => lake.StoreAsync(Topic.All));
        Assert.Equal(FailureAction.Stop, e.Action);
        Assert.Contains("names its schema", e.Problem);
        Assert.Empty(lake.Files());
    }

    [Fact]
    public async Task a_schema_that_is_nowhere_stops_it_and_nothing_is_quarantined()
    {
        Topic.Page(0, 2, Wider, i => WiderRow(i));
        var e = await Assert.ThrowsAsync<PipelineException>(() => lake.StoreAsync(Topic.All));
        Assert.Equal(FailureAction.Stop, e.Action);
        Assert.Contains(Wider.Fingerprint, e.Problem);
        Assert.Contains("checkpoint_location", e.Remedy);
        Assert.Empty(lake.Files());

        new SchemaStore(lake.Checkpoint).Write(Wider);
        await lake.StoreAsync(Topic.All);
        await lake.AssertStoredOnceAsync();
    }

    private static string WiderRow(int id) => TestTopic.Row(id)[..^1] + ",\"note\":null}";
}
