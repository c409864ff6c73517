using OrdersStream.Audit;
using OrdersStream.Configuration;
using OrdersStream.Hosting.Loops;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Kafka;

/// <summary>Capture runs beside the database and storing elsewhere: they share the topic and nothing else.</summary>
public sealed class SeparateHalvesTests(PostgresServer postgres, KafkaServer kafka)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task halves_that_share_only_the_topic_bring_every_row_to_the_lake()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka);
        await using var capture = stream.NewRun(options => Elsewhere(stream, options));
        await using var store = stream.NewRun(options => WithoutSource(stream, options));

        await stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, 'x' FROM generate_series(1, 200) i");
        await OnceAsync(capture, store);
        await stream.ExecuteAsync("ALTER TABLE items ADD COLUMN note text");
        await stream.ExecuteAsync("UPDATE items SET note = 'new', updated_at = clock_timestamp() WHERE id <= 100");
        await OnceAsync(capture, store);

        await stream.LakeShouldEqualTableAsync();
        Assert.Empty(stream.Lake.QuarantineLines);
    }

    /// <summary>By a storer that is started again, and by one that keeps what it knew.</summary>
    [Theory, InlineData(true), InlineData(false)]
    public async Task a_schemas_folder_that_was_removed_is_made_again_by_the_next_page(bool restarts)
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka);
        await using var capture = stream.NewRun(options => Elsewhere(stream, options));
        await stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, 'x' FROM generate_series(1, 200) i");
        await CaptureAsync(capture);
        await stream.StoreAsync();

        Directory.Delete(Path.Combine(stream.Options.Streaming.CheckpointLocation, "schemas"), recursive: true);
        var storer = restarts ? stream.NewInstance() : stream.Instance;
        await stream.ExecuteAsync("UPDATE items SET name = 'new', updated_at = clock_timestamp() WHERE id <= 100");
        await CaptureAsync(capture);
        await storer.StoreAsync(stream.TakeNewRecords());

        await stream.LakeShouldEqualTableAsync();
        await using var audit = stream.NewRun();
        Assert.Equal(ComparisonVerdict.Equal, (await audit.Stream.Comparison.CompareAsync(Cancellation)).Verdict);
    }

    private static async Task OnceAsync(TestRun capture, TestRun store)
    {
        await CaptureAsync(capture);
        Assert.True(await store.OnceAsync(PipelineHalf.KafkaToLake, Cancellation));
    }

    private static async Task CaptureAsync(TestRun capture) =>
        Assert.True(await capture.OnceAsync(PipelineHalf.PostgresToKafka, Cancellation));

    private static PipelineOptions Elsewhere(TestStream stream, PipelineOptions options) => options with
    {
        Streaming = options.Streaming with { CheckpointLocation = stream.Options.Streaming.CheckpointLocation + "-of-capture" },
    };

    private static PipelineOptions WithoutSource(TestStream stream, PipelineOptions options) => options with
    {
        Postgres = options.Postgres with { Host = "nowhere.invalid" },
        Streaming = options.Streaming with
        {
            LastProcessedTimestampLocation = stream.Options.Streaming.LastProcessedTimestampLocation + "-of-store",
        },
    };
}
