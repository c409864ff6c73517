using System.Text;
using System.Text.RegularExpressions;
using Confluent.Kafka;
using OrdersStream.Diagnostics;
using OrdersStream.Hosting.Loops;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Disk;

/// <summary>
/// Invariant 6: a state file that is torn, or of a later version, stops its half with a line that names it, and nothing is written over;
/// restored, or moved away as the line says, it lets the stream go on as if nothing had been.
/// </summary>
public sealed class DamagedStateTests(PostgresServer postgres, KafkaServer kafka)
{
    private const int Rows = 60;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>A kind of state file, and the half that reads it.</summary>
    public static TheoryData<string, PipelineHalf> Kinds => new()
    {
        { "watermark", PipelineHalf.PostgresToKafka }, { "commits", PipelineHalf.KafkaToLake }, { "schemas", PipelineHalf.KafkaToLake },
    };

    [Theory, MemberData(nameof(Kinds)), InlineData("topic", PipelineHalf.KafkaToLake)]
    public async Task a_state_file_that_is_torn_or_of_a_later_version_stops_its_half_and_is_not_written_over(string kind, PipelineHalf half)
    {
        await using var stream = await StoredAsync();
        var file = Newest(stream, kind);
        var whole = await File.ReadAllTextAsync(file, Cancellation);
        foreach (var torn in new[] { "", whole[..(whole.Length / 2)], whole[..^2] })
        {
            await File.WriteAllTextAsync(file, torn, Cancellation);
            await StopsAsync(stream, half, Path.GetFileName(file));
        }
        var later = Regex.Replace(whole, "\"version\": [0-9]+,", "\"version\": 9,");
        await File.WriteAllTextAsync(file, later, Cancellation);
        await StopsAsync(stream, half, Path.GetFileName(file), "version 9");

        await File.WriteAllTextAsync(file, whole, Cancellation);
        await GoesOnAsync(stream);
    }

    [Theory, MemberData(nameof(Kinds))]
    public async Task a_damaged_state_file_that_is_moved_away_is_made_up_for(string kind, PipelineHalf half)
    {
        await using var stream = await StoredAsync();
        var file = Newest(stream, kind);
        await File.WriteAllTextAsync(file, "{", Cancellation);
        await StopsAsync(stream, half, Path.GetFileName(file));

        if (kind == "commits") Directory.Delete(Path.GetDirectoryName(file)!, recursive: true);
        else File.Delete(file);
        // Before anything new is in the table.
        Assert.True(await CrashStream.OnceAsync(stream));
        Assert.True(File.Exists(file) || kind == "commits", $"'{file}' was not written again");
        await GoesOnAsync(stream);
    }

    /// <summary>Beside no frame of the stream it is another producer's, and says nothing of where capture has got to.</summary>
    [Theory]
    [InlineData("{\"version\":9,\"watermark\":{}}")]
    [InlineData("no position")]
    public async Task a_position_of_another_producer_in_the_topic_is_passed_over(string position)
    {
        await using var stream = await StoredAsync();
        var before = stream.Dump().Records.Count;
        var config = new ProducerConfig { BootstrapServers = stream.Options.Kafka.Brokers };
        using (var other = new ProducerBuilder<byte[], byte[]>(config).SetLogHandler((_, _) => { }).Build())
        {
            await other.ProduceAsync(
                new TopicPartition(stream.Options.Kafka.Topic, 2),
                new() { Headers = new Headers { { "position", Encoding.UTF8.GetBytes(position) } } }, Cancellation);
        }
        // So that the topic's end is all there is to go on by.
        File.Delete(Newest(stream, "watermark"));

        await using var run = stream.NewRun();
        Assert.True(await run.OnceAsync(PipelineHalf.PostgresToKafka, Cancellation));
        Assert.Equal(before + 1, stream.Dump().Records.Count);
    }

    private async Task<TestStream> StoredAsync()
    {
        var stream = await CrashStream.CreateAsync(postgres, kafka);
        await stream.ExecuteAsync($"INSERT INTO items (id, name) SELECT i, repeat('x', 50) FROM generate_series(1, {Rows}) i");
        Assert.True(await CrashStream.OnceAsync(stream));
        await stream.ExecuteAsync("UPDATE items SET name = 'once', updated_at = clock_timestamp() WHERE id <= 20");
        Assert.True(await CrashStream.OnceAsync(stream));
        return stream;
    }

    private static string Newest(TestStream stream, string kind) => kind switch
    {
        "watermark" => Directory.GetFiles(stream.Options.Streaming.LastProcessedTimestampLocation).Single(),
        "topic" => Directory.GetFiles(stream.Options.Streaming.CheckpointLocation, "topic.json", SearchOption.AllDirectories).Single(),
        _ => Directory.GetFiles(Path.Combine(stream.Options.Streaming.CheckpointLocation, kind), "*.json", SearchOption.AllDirectories)
            .Where(f => Path.GetFileName(f) != "topic.json").Max(StringComparer.Ordinal)!,
    };

    private static async Task StopsAsync(TestStream stream, PipelineHalf half, params string[] said)
    {
        var files = stream.StateFiles();
        await using var run = stream.NewRun();
        var stopped = await Assert.ThrowsAsync<HalfStoppedException>(() => run.OnceAsync(half, Cancellation));
        Assert.Equal((half.ToString(), FailureAction.Stop, false), (stopped.Half, stopped.Verdict.Action, stopped.Verdict.IsDefect));
        Assert.All(said, words => Assert.Contains(words, stopped.Verdict.Problem, StringComparison.Ordinal));
        Assert.NotEmpty(stopped.Verdict.Remedy);
        Assert.Equal(files, stream.StateFiles());
    }

    private static async Task GoesOnAsync(TestStream stream)
    {
        await stream.ExecuteAsync("UPDATE items SET name = 'twice', updated_at = clock_timestamp() WHERE id <= 10");
        Assert.True(await CrashStream.OnceAsync(stream));
        await stream.LakeShouldEqualTableAsync();
        Assert.Equal((Rows + 30, Rows + 30), (stream.Dump().Records.Count, stream.Lake.Count()));
    }
}
