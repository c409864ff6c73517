using System.Collections.Immutable;
using OrdersStream.Audit;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Lake.Files;
using OrdersStream.Rows;
using OrdersStream.UnitTests.Store;

namespace OrdersStream.UnitTests.Audit;

/// <summary>What the lake has of one row.</summary>
public sealed class RowHistoryTests : IDisposable
{
    private readonly TestLake lake = new();
    private TestTopic Topic => lake.Topic;

    public void Dispose() => lake.Dispose();

    [Fact]
    public async Task all_versions_of_a_row_are_told_the_newest_first_with_their_files()
    {
        Topic.Framed(0, 3, [1, 2]);
        Topic.Framed(0, 5, [2], previous: 3, value: id => TestTopic.Row(id, "2026-03-01"));
        Topic.Deletes(0, 7, ["2"], previous: 5);
        await lake.StoreAsync(Topic.All);
        var versions = await ReadAsync("2");
        Assert.Equal([(7L, "delete"), (5L, "upsert"), (3L, "upsert")], versions.Select(v => (v.Version!.Value, v.Op)));
        Assert.Equal([null, "2026-03-01 00:00:00+00", "2026-03-01 00:00:00+00"], versions.Select(v => v.Time?.Replace(".000000", "")));
        Assert.All(versions, v => Assert.Contains(v.File, lake.Files()));
        Assert.Equal(3, versions.Select(v => v.File).Distinct().Count());
        Assert.Contains("\"order_id\":2", versions[1].Row, StringComparison.Ordinal);
        Assert.Empty(await ReadAsync("3"));
    }

    [Fact]
    public async Task a_key_of_several_columns_is_found_by_all_of_them()
    {
        var schema = new TableSchema(TestTopic.Orders.Columns, [0, 1], 3);
        new SchemaStore(lake.Checkpoint).Write(schema);
        Topic.Framed(0, 3, [1, 2], schema: schema, value: id => TestTopic.Row(id).Replace("PLACED", id == 1 ? "A \\\"B" : "C"));
        await lake.StoreAsync(Topic.All);
        Assert.Single(await ReadAsync("1", "A \"B"));
        Assert.Empty(await ReadAsync("2", "A \"B"));
        var e = await Assert.ThrowsAsync<PipelineException>(() => ReadAsync("1"));
        Assert.Contains("has 2 columns (order_id, status), and 1 values were given", e.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task what_is_no_key_is_refused_and_not_taken_for_a_row_that_is_not_there()
    {
        Topic.Framed(0, 3, [1]);
        await lake.StoreAsync(Topic.All);
        var e = await Assert.ThrowsAsync<PipelineException>(() => ReadAsync("Zq7xWv"));
        Assert.Contains("order_id", e.Problem, StringComparison.Ordinal);
        Assert.DoesNotContain("Zq7xWv", e.Message, StringComparison.Ordinal);
    }

    private Task<ImmutableArray<StoredVersion>> ReadAsync(params string[] key) => new RowHistory(
        new PipelineOptions
        {
            Datalake = new DatalakeOptions { Path = lake.Root }, Kafka = new KafkaOptions { Topic = "orders" },
            Streaming = new StreamingOptions { CheckpointLocation = lake.Checkpoint },
        },
        location => new LakeFolder(location)).ReadAsync([.. key], CancellationToken.None);
}
