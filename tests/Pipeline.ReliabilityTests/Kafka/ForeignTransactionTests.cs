using Confluent.Kafka;
using OrdersStream.Hosting.Loops;
using OrdersStream.Status;
using OrdersStream.Store;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Kafka;

/// <summary>
/// A transaction of somebody else is open in the topic: readers of committed records see nothing behind its first record, whatever was
/// committed there.
/// </summary>
public sealed class ForeignTransactionTests(PostgresServer postgres, KafkaServer kafka)
{
    private const int Rows = 50;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory, InlineData("transactions"), InlineData("frames")]
    public async Task a_poller_without_its_file_waits_for_the_end_of_another_producers_transaction_and_says_so(string delivery)
    {
        kafka.RequireReal("a transaction hides what is behind it");
        await using var stream = await CreateAsync(delivery);
        Assert.Equal(0, (await stream.PollAsync()).Rows);
        using var other = BeginTransaction(stream.Options.Kafka.Topic);
        await stream.ExecuteAsync($"INSERT INTO items (id, name) SELECT i, 'x' FROM generate_series(1, {Rows}) i");
        Assert.Equal(Rows, (await stream.PollAsync()).Rows);
        await stream.RestartAsync();
        File.Delete(Directory.GetFiles(stream.Options.Streaming.LastProcessedTimestampLocation, "watermark.json").Single());

        await using var run = stream.NewRun();
        var running = run.OnceAsync(PipelineHalf.PostgresToKafka, Cancellation);
        await stream.UntilAsync(() => Said(stream) || running.IsCompleted, null, () => "nothing was said");
        other.AbortTransaction(Waiting.Patience);
        await running.WithPatienceAsync("the poll");

        Assert.Equal(Rows, stream.Dump().Records.Count(r => r.Value is not null));
        Assert.True(Said(stream), $"nothing was said of the transaction\n{stream.Log}");
        Assert.True(await run.OnceAsync(null, Cancellation));
        await stream.LakeShouldEqualTableAsync();
    }

    [Theory, InlineData("transactions"), InlineData("frames")]
    public async Task a_drain_does_not_wait_for_ever_for_what_another_producers_transaction_hides_and_status_is_not_well(string delivery)
    {
        kafka.RequireReal("a transaction hides what is behind it");
        await using var stream = await CreateAsync(delivery);
        Assert.Equal(0, (await stream.PollAsync()).Rows);
        await using var run = stream.NewRun();
        using var other = BeginTransaction(stream.Options.Kafka.Topic);
        await stream.ExecuteAsync($"INSERT INTO items (id, name) SELECT i, 'x' FROM generate_series(1, {Rows}) i");
        Assert.Equal(Rows, (await stream.PollAsync()).Rows);
        await stream.RestartAsync();

        var usual = KafkaToLakeLoop.HiddenPatience;
        KafkaToLakeLoop.HiddenPatience = TimeSpan.FromSeconds(1);
        try
        {
            var drain = run.KafkaToLake.DrainAsync(Cancellation);
            await drain.WithPatienceAsync("the drain");
            Assert.Equal(TopicDrain.EndHidden, await drain);
            var status = await run.Stream.Status.ReadAsync(Cancellation);
            Assert.Equal(Health.Wrong, status.Health);
            Assert.True(status.Hidden > Rows, $"{status.Hidden} are hidden");
            Assert.Contains(status.Problems, p => p.StartsWith("A transaction is open in topic", StringComparison.Ordinal));
            Assert.Contains(
                stream.Log.Warnings, w => w.Contains("nothing can be read until the transaction ends", StringComparison.Ordinal));

            other.AbortTransaction(Waiting.Patience);
            Assert.Equal(TopicDrain.Done, await run.KafkaToLake.DrainAsync(Cancellation));
            using var halves = run.BothAtWork();
            var after = await run.Stream.Status.ReadAsync(Cancellation);
            Assert.Equal((Health.Well, 0L), (after.Health, after.Hidden));
        }
        finally
        {
            KafkaToLakeLoop.HiddenPatience = usual;
        }
        await stream.LakeShouldEqualTableAsync();
    }

    private Task<TestStream> CreateAsync(string delivery) => TestStream.CreateAsync(
        postgres, kafka, configure: o => CrashStream.By(delivery, o with { Kafka = o.Kafka with { Partitions = 1 } }));

    private static bool Said(TestStream stream) => stream.Log.Warnings.Any(warning =>
        warning.Contains($"A transaction is open in topic '{stream.Options.Kafka.Topic}'", StringComparison.Ordinal));

    /// <summary>Begins it with one record in the log.</summary>
    private IProducer<string, string> BeginTransaction(string topic)
    {
        var producer = new ProducerBuilder<string, string>(new ProducerConfig
        {
            BootstrapServers = kafka.Brokers,
            TransactionalId = $"other-{topic}",
            TransactionTimeoutMs = (int)Waiting.Patience.TotalMilliseconds,
        }).SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { }).Build();
        producer.InitTransactions(Waiting.Patience);
        producer.BeginTransaction();
        producer.Produce(topic, new Message<string, string> { Key = "other", Value = "other" });
        Assert.Equal(0, producer.Flush(Waiting.Patience));
        return producer;
    }
}
