using Confluent.Kafka;
using OrdersStream.Durable;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Disk;

/// <summary>
/// State that is gone is found again: the position in the topic, the commit log in the files of the lake. Nothing is published or stored
/// twice.
/// </summary>
public sealed class LostStateTests(PostgresServer postgres, KafkaServer kafka)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>What of the commit log is lost: all of it, that of one partition, or what came after an old copy.</summary>
    [Theory, InlineData("all"), InlineData("a partition"), InlineData("the newest")]
    public async Task a_commit_log_that_is_lost_is_made_again_from_the_files(string lost)
    {
        await using var stream = await CreateAsync(60);
        Assert.True(await CrashStream.OnceAsync(stream));
        // The newest file of a partition may be one of quarantine.
        await PoisonAsync(stream, 1);
        await stream.ExecuteAsync("UPDATE items SET name = 'changed', updated_at = clock_timestamp() WHERE id <= 20");
        Assert.True(await CrashStream.OnceAsync(stream));
        await PoisonAsync(stream, 2);
        Assert.True(await CrashStream.OnceAsync(stream));

        Lose(stream, lost);
        Assert.True(await CrashStream.OnceAsync(stream));
        await stream.ExecuteAsync("UPDATE items SET name = 'changed again', updated_at = clock_timestamp() WHERE id <= 30");
        Assert.True(await CrashStream.OnceAsync(stream));

        await stream.LakeShouldEqualTableAsync();
        Assert.Equal((60 + 20 + 30, 2), (stream.Lake.Count(), stream.Lake.QuarantineLines.Count));
        Assert.Contains(stream.Log.Lines, line => line.Id == 3009);
    }

    /// <summary>Pages 1 and 2 of a window are in the topic, of the second the file never knew; then the file is lost too.</summary>
    [Fact]
    public async Task a_watermark_file_lost_in_mid_window_is_made_up_for_by_the_topics_end()
    {
        await using var stream = await CreateAsync(200);
        var pages = 0;
        Assert.False(await CrashStream.OnceAsync(stream, point =>
        {
            if (point == CrashPoint.PageCommitted && ++pages == 2) throw new CrashException(point);
        }));
        var published = stream.Dump().Records.Count;
        Assert.InRange(published, 2, 199);
        Directory.Delete(stream.Options.Streaming.LastProcessedTimestampLocation, recursive: true);

        Assert.True(await CrashStream.OnceAsync(stream));

        await stream.LakeShouldEqualTableAsync();
        Assert.Equal(200, stream.Dump().Records.Count);
    }

    [Fact]
    public async Task what_a_dead_poller_left_beside_the_watermark_goes_after_a_day()
    {
        await using var stream = await CreateAsync(10);
        Assert.True(await CrashStream.OnceAsync(stream));
        var folder = stream.Options.Streaming.LastProcessedTimestampLocation;
        string[] left = [.. Enumerable.Range(0, 2).Select(i => Path.Combine(folder, $".watermark.json.{Guid.NewGuid():N}.tmp"))];
        foreach (var file in left) await File.WriteAllTextAsync(file, "torn", Cancellation);
        File.SetLastWriteTimeUtc(left[0], TimeProvider.System.GetUtcNow().UtcDateTime.AddDays(-2));

        Assert.True(await CrashStream.OnceAsync(stream));

        Assert.Equal((false, true), (File.Exists(left[0]), File.Exists(left[1])));
        await stream.LakeShouldEqualTableAsync();
    }

    [Fact]
    public async Task both_kinds_of_state_lost_at_once_are_found_again()
    {
        await using var stream = await CreateAsync(100);
        Assert.True(await CrashStream.OnceAsync(stream));
        Directory.Delete(stream.Options.Streaming.LastProcessedTimestampLocation, recursive: true);
        Directory.Delete(Path.Combine(stream.Options.Streaming.CheckpointLocation, "commits"), recursive: true);
        await stream.ExecuteAsync("UPDATE items SET name = 'changed', updated_at = clock_timestamp() WHERE id <= 20");

        Assert.True(await CrashStream.OnceAsync(stream));

        await stream.LakeShouldEqualTableAsync();
        Assert.Equal((120, 120), (stream.Dump().Records.Count, stream.Lake.Count()));
    }

    /// <summary>What writers leave that die between the creation and the naming of a file, in each folder.</summary>
    [Fact]
    public async Task leftover_temporary_files_are_in_nobodys_way()
    {
        await using var stream = await CreateAsync(60);
        Assert.True(await CrashStream.OnceAsync(stream));
        var log = Directory.GetDirectories(
            Path.Combine(stream.Options.Streaming.CheckpointLocation, "commits"), "0", SearchOption.AllDirectories).Single();
        string[] leftovers =
        [
            Path.Combine(stream.Options.Datalake.Path, $".part-0-0-999.parquet.{new string('a', 32)}.tmp"),
            Path.Combine(stream.Options.Streaming.LastProcessedTimestampLocation, $".watermark.json.{new string('a', 32)}.tmp"),
            Path.Combine(log, $".{99:D20}.json.{new string('a', 32)}.tmp"),
        ];
        foreach (var file in leftovers) await File.WriteAllTextAsync(file, "half of", Cancellation);
        await stream.ExecuteAsync("UPDATE items SET name = 'changed', updated_at = clock_timestamp() WHERE id <= 20");

        Assert.True(await CrashStream.OnceAsync(stream));

        await stream.LakeShouldEqualTableAsync();
        Assert.Equal((80, 80), (stream.Dump().Records.Count, stream.Lake.Count()));
        Assert.All(leftovers, file => Assert.Equal("half of", File.ReadAllText(file)));
    }

    private async Task<TestStream> CreateAsync(int rows)
    {
        var stream = await CrashStream.CreateAsync(postgres, kafka);
        await stream.ExecuteAsync($"INSERT INTO items (id, name) SELECT i, repeat('x', 50) FROM generate_series(1, {rows}) i");
        return stream;
    }

    private static async Task PoisonAsync(TestStream stream, int partition)
    {
        using var other = new ProducerBuilder<byte[], byte[]>(new ProducerConfig { BootstrapServers = stream.Options.Kafka.Brokers })
            .SetLogHandler((_, _) => { }).Build();
        await other.ProduceAsync(
            new TopicPartition(stream.Options.Kafka.Topic, partition), new() { Value = [(byte)partition] }, Cancellation);
    }

    private static void Lose(TestStream stream, string lost)
    {
        var commits = Path.Combine(stream.Options.Streaming.CheckpointLocation, "commits");
        var logs = Directory.GetDirectories(commits, "*", SearchOption.AllDirectories)
            .Where(d => Directory.GetFiles(d, "0*.json").Length > 0).ToList();
        Assert.Equal(4, logs.Count);
        if (lost == "all") Directory.Delete(commits, recursive: true);
        else if (lost == "a partition") Directory.Delete(logs.Single(l => Path.GetFileName(l) == "2"), recursive: true);
        else logs.ForEach(l => File.Delete(Directory.GetFiles(l, "0*.json").Max(StringComparer.Ordinal)!));
    }
}
