using OrdersStream.Audit;
using Confluent.Kafka;
using OrdersStream.Capture;
using OrdersStream.Hosting.Loops;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Oracles;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Kafka;

/// <summary>The topic gets more partitions: keys move, and the newest version of each is still told by its page.</summary>
public sealed class MorePartitionsTests(PostgresServer postgres, KafkaServer kafka)
{
    private const int Rows = 400;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>While a session of capture is open, which notices within a minute, and while none is.</summary>
    [Theory, InlineData(true, "transactions"), InlineData(false, "transactions"), InlineData(true, "frames"), InlineData(false, "frames")]
    public async Task new_partitions_are_used_and_the_newest_version_of_each_key_is_the_tables(bool isOpen, string delivery)
    {
        kafka.RequireReal("a topic gets more partitions");
        var time = new ShiftedTime();
        await using var stream = await CreateAsync(delivery);
        await using var run = stream.NewRun(time: time);
        Assert.True(await run.OnceAsync(null, Cancellation));
        if (!isOpen) await stream.EndPollersSessionsAsync();
        await GrowAsync(stream, 8);

        await UpdateAllAsync(stream, "within the minute");
        await PollAsync(run);
        time.Shift(TimeSpan.FromSeconds(61));
        await UpdateAllAsync(stream, "after it");
        await PollAsync(run);

        Assert.Equal(Enumerable.Range(0, 8), stream.Dump().Records.Select(r => r.Partition).Distinct().Order());
        Assert.True(await run.OnceAsync(null, Cancellation));
        await stream.LakeShouldEqualTableAsync();
        var compared = await run.Stream.Comparison.CompareAsync(Cancellation);
        Assert.True(compared.Verdict == ComparisonVerdict.Equal, $"{compared}");
        Assert.Equal((Rows, 0), (compared.Equal, compared.OnTheWay));
    }

    /// <summary>A consumer that is at work hears of them from its own look at the topic, within a minute too.</summary>
    [Theory, InlineData("transactions"), InlineData("frames")]
    public async Task a_storer_that_is_at_work_reads_the_new_partitions(string delivery)
    {
        kafka.RequireReal("a topic gets more partitions");
        await using var stream = await CreateAsync(delivery);
        await using var run = stream.NewRun();
        await PollAsync(run);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var storing = run.UntilStoppedAsync(PipelineHalf.KafkaToLake, null, stop.Token, Cancellation);
        try
        {
            await stream.UntilStoredAsync(Rows, storing);
            await GrowAsync(stream, 8);
            await stream.EndPollersSessionsAsync();
            await UpdateAllAsync(stream, "new");
            await PollAsync(run);
            await stream.UntilStoredAsync(2 * Rows, storing);
        }
        finally
        {
            await stop.CancelAsync();
            await storing.WithPatienceAsync("the storer");
        }
        Assert.Equal(8, stream.Lake.Positions().Select(p => p.Partition).Distinct().Count());
        await stream.LakeShouldEqualTableAsync();
    }

    private async Task<TestStream> CreateAsync(string delivery)
    {
        var stream = await TestStream.CreateAsync(postgres, kafka, configure: options => CrashStream.By(delivery, options with
        {
            Postgres = options.Postgres with { PageBytes = 16 * 1024 },
            Streaming = options.Streaming with { BatchInterval = 1 },
        }));
        await stream.ExecuteAsync($"INSERT INTO items (id, name) SELECT i, repeat('x', 100) FROM generate_series(1, {Rows}) i");
        return stream;
    }

    private async Task GrowAsync(TestStream stream, int partitions)
    {
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = kafka.Brokers }).Build();
        await admin.CreatePartitionsAsync([new() { Topic = stream.Options.Kafka.Topic, IncreaseTo = partitions }]);
        await Waiting.UntilAsync(
            () => admin.GetMetadata(stream.Options.Kafka.Topic, Waiting.Patience).Topics.Single().Partitions
                is var all && all.Count == partitions && all.All(p => p.Leader >= 0),
            null, () => "the topic did not grow");
    }

    private static Task UpdateAllAsync(TestStream stream, string name) =>
        stream.ExecuteAsync($"UPDATE items SET name = '{name}', updated_at = clock_timestamp()");

    private static async Task PollAsync(TestRun run) => Assert.True(await run.OnceAsync(PipelineHalf.PostgresToKafka, Cancellation));
}
