using Confluent.Kafka;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Status;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Kafka;

/// <summary>
/// The topic has no memory of what was sent: retention emptied it, or it was deleted and made anew. Nothing of it may be taken for what the
/// lake has, nor a place in it for one in the other.
/// </summary>
public sealed class AnotherTopicTests(PostgresServer postgres, KafkaServer kafka, ProxiedStreams streams) : IClassFixture<ProxiedStreams>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>And so has the poller: its file is lost, or older than what the lake has.</summary>
    [Theory]
    [InlineData("transactions", false), InlineData("transactions", true), InlineData("frames", false), InlineData("frames", true)]
    public async Task pages_behind_an_emptied_topic_are_no_pages_that_the_lake_has(string delivery, bool isFileOld)
    {
        kafka.RequireReal("records are deleted");
        await using var stream = await CreateAsync(delivery);
        var file = Path.Combine(stream.Options.Streaming.LastProcessedTimestampLocation, "watermark.json");
        await ProxiedStreams.OnceAsync(stream);
        var old = await File.ReadAllBytesAsync(file, Cancellation);
        for (var round = 0; round < 4; round++) await ChangeAsync(stream, $"round {round}");
        await DeleteRecordsAsync(stream);
        if (isFileOld) await File.WriteAllBytesAsync(file, old, Cancellation);
        else File.Delete(file);

        await ChangeAsync(stream, "behind it");
        await ChangeAsync(stream, "and once more");
        await stream.NewestShouldEqualTableAsync();
    }

    /// <summary>While a session is open, which writes into the new one what it takes for the old one; and the remedy is followed.</summary>
    [Fact]
    public async Task a_topic_that_is_made_anew_is_captured_into_from_the_beginning_once_the_remedy_is_followed()
    {
        kafka.RequireReal("a topic is deleted and made anew");
        await using var stream = await CreateAsync("transactions");
        await stream.DrainAsync();
        await stream.StoreAsync();
        await kafka.RecreateTopicAsync(stream.Options.Kafka.Topic);

        await stream.ExecuteAsync("UPDATE items SET name = 'into the new one', updated_at = clock_timestamp() WHERE id <= 50");
        await Record.ExceptionAsync(stream.DrainAsync);
        await stream.RestartAsync();
        var stop = await Assert.ThrowsAsync<PipelineException>(stream.DrainAsync);
        Assert.Contains("move the watermark file and the commit log", stop.Message);
        await ShouldSayAsync(stream, "belongs to topic");
        await ShouldSayAsync(stream, "The checkpoint belongs to another topic");

        Directory.Delete(stream.Options.Streaming.LastProcessedTimestampLocation, recursive: true);
        Directory.Delete(stream.Options.Streaming.CheckpointLocation, recursive: true);
        // The path stays, and is empty again: for readers it is another lake.
        Directory.Delete(stream.Options.Datalake.Path, recursive: true);
        await stream.RestartAsync();
        await ProxiedStreams.OnceAsync(stream);
        await stream.NewestShouldEqualTableAsync();
    }

    /// <summary>An answer is lost, and so its publisher is made anew: it finds another topic, and not one that lost its end.</summary>
    [Fact]
    public async Task a_topic_that_is_made_anew_under_an_open_session_is_told_as_that()
    {
        await using var stream = await streams.CreateAsync(postgres, rows: 100);
        streams.Proxy.CutAnswer(KafkaApi.EndTxn);
        stream.OnReached = point =>
        {
            if (point == CrashPoint.PageCommitted)
                streams.Server.RecreateTopicAsync(stream.Options.Kafka.Topic).GetAwaiter().GetResult();
        };
        var told = await Assert.ThrowsAsync<PipelineException>(stream.DrainAsync);
        Assert.Contains("but kafka.topic is now", told.Problem, StringComparison.Ordinal);
    }

    /// <summary>Long before the client's own patience with brokers that come back is at its end.</summary>
    [Theory, InlineData("transactions"), InlineData("frames")]
    public async Task a_topic_that_is_deleted_under_a_page_is_told(string delivery)
    {
        kafka.RequireReal("a topic is deleted");
        await using var stream = await CreateAsync(delivery);
        await stream.DrainAsync();
        await kafka.DeleteTopicAsync(stream.Options.Kafka.Topic);

        Exception? failure;
        do
        {
            // The deletion goes on behind its answer: until it is done the topic takes pages.
            await stream.ExecuteAsync("UPDATE items SET name = 'into none', updated_at = clock_timestamp()");
            failure = await Record.ExceptionAsync(stream.DrainAsync);
        }
        while (failure is null);
        Assert.True(FailurePolicy.Judge(failure).Kind == "deleted topic", $"{failure}\n{stream.Log}");
        Assert.Contains(stream.Options.Kafka.Topic, failure.Message, StringComparison.Ordinal);
    }

    private static async Task ShouldSayAsync(TestStream stream, string problem)
    {
        await using var run = stream.NewRun();
        using var halves = run.BothAtWork();
        var status = await run.Stream.Status.ReadAsync(Cancellation);
        Assert.Equal(Health.Wrong, status.Health);
        Assert.Contains(status.Problems, p => p.Contains(problem, StringComparison.Ordinal));
    }

    private async Task<TestStream> CreateAsync(string delivery)
    {
        var stream = await TestStream.CreateAsync(postgres, kafka, configure: options => options with
        {
            Postgres = options.Postgres with { PageBytes = 2048 }, Kafka = options.Kafka with { Delivery = delivery },
        });
        await stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, repeat('x', 50) FROM generate_series(1, 150) i");
        return stream;
    }

    private static async Task ChangeAsync(TestStream stream, string name)
    {
        await stream.ExecuteAsync($"UPDATE items SET name = '{name}', updated_at = clock_timestamp() WHERE id % 4 = 1");
        await ProxiedStreams.OnceAsync(stream);
    }

    private async Task DeleteRecordsAsync(TestStream stream)
    {
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = kafka.Brokers }).Build();
        await admin.DeleteRecordsAsync(
            [.. Enumerable.Range(0, stream.Options.Kafka.Partitions)
                .Select(p => new TopicPartitionOffset(stream.Options.Kafka.Topic, p, Offset.End))]);
    }
}
