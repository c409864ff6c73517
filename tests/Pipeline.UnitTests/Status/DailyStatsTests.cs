using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Lake.Files;
using OrdersStream.Status;
using OrdersStream.UnitTests.Store;

namespace OrdersStream.UnitTests.Status;

/// <summary>What was stored day by day: by the commit log, whatever became of the lake's files and of most entries.</summary>
public sealed class DailyStatsTests : IDisposable
{
    private readonly TestLake lake = new();
    private readonly Dictionary<DateOnly, DayStats> expected = [];

    public void Dispose() => lake.Dispose();

    [Fact]
    public async Task each_day_is_told_for_ever()
    {
        // Each batch by a process of its own, many a day and one, in two partitions; the log is pruned on the way.
        foreach (var (batches, days) in new[] { (30, 1), (1, 3), (25, 1), (40, 2), (2, 0) })
        {
            for (var i = 0; i < batches; i++) await StoreAsync(partition: i % 2, rows: i % 3 + 1);
            Age();
            lake.Time.Advance(TimeSpan.FromDays(days));
        }
        var entries = Directory.GetFiles(lake.PartitionLog(0), "0*.json").Length;
        Assert.True(entries < 30, $"{entries} entries are there");
        // Partitions that stand still are told too, and what readers of the lake remove is not forgotten.
        foreach (var file in Directory.GetFiles(lake.Root, "*.parquet", SearchOption.AllDirectories)) File.Delete(file);
        Assert.Equal(expected.Values.OrderBy(d => d.Day), Read());
    }

    [Fact]
    public async Task what_was_stored_before_the_first_entry_that_is_there_is_of_no_day()
    {
        for (var i = 0; i < 5; i++) await StoreAsync(partition: 0, rows: 2);
        var first = Assert.Single(Read());
        Assert.Equal((Today, 10), (first.Day, first.Rows));
        // As a version that kept no entries, and did not say when they began, left it.
        lake.Time.Advance(TimeSpan.FromDays(1));
        await StoreAsync(partition: 0, rows: 1);
        foreach (var entry in Directory.GetFiles(lake.PartitionLog(0), "0*.json").Order().Take(10)) File.Delete(entry);
        var read = Read();
        Assert.Equal([(null, 10L), ((DateOnly?)Today, 1L)], read.Select(d => (d.Day, d.Rows)));
    }

    [Fact]
    public void without_a_commit_log_nothing_is_known_of_any_day() =>
        Assert.StartsWith("There is no lake of this stream", Assert.Throws<PipelineException>(() => Read()).Problem);

    private DateOnly Today => DateOnly.FromDateTime(lake.Time.GetUtcNow().UtcDateTime);

    private async Task StoreAsync(int partition, int rows)
    {
        var result = await lake.StoreAsync(lake.Topic.Page(partition, rows));
        await lake.StoreAsync([lake.Topic.Produce(partition, "poison")]);
        var day = expected.GetValueOrDefault(Today) ?? new DayStats(Today, 0, 0, 0, 0);
        expected[Today] = day with
        {
            Rows = day.Rows + rows, Files = day.Files + result.Files, Bytes = day.Bytes + result.Bytes, Quarantined = day.Quarantined + 1,
        };
    }

    // As old as they say that they are, and older than a day at the next commit.
    private void Age()
    {
        foreach (var partition in new[] { 0, 1 }.Select(lake.PartitionLog).Where(Directory.Exists))
            foreach (var entry in Directory.GetFiles(partition, "0*.json"))
                File.SetLastWriteTimeUtc(entry, (lake.Time.GetUtcNow() - TimeSpan.FromDays(1)).UtcDateTime);
    }

    private IEnumerable<DayStats> Read() => new DailyStats(
        new PipelineOptions
        {
            Kafka = new KafkaOptions { Topic = "orders" }, Datalake = new DatalakeOptions { Path = lake.Root },
            Streaming = new StreamingOptions { CheckpointLocation = lake.Checkpoint },
        },
        location => new LakeFolder(location)).Read();
}
