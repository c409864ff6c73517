using Confluent.Kafka;
using OrdersStream.Diagnostics;
using OrdersStream.IntegrationTests;
using OrdersStream.IntegrationTests.Servers;
using OrdersStream.LocalHost.Verbs;

namespace OrdersStream.ReliabilityTests;

/// <summary>Two of everything, and more, that come and go.</summary>
public sealed class InstanceTests(PostgresServer postgres, KafkaServer kafka)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task a_poller_that_stands_by_takes_over_with_its_first_poll_after_the_others_death()
    {
        await using var stream = await CrashStream.CreateAsync(postgres, kafka);
        await stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, repeat('x', 50) FROM generate_series(1, 200) i");
        using (var first = LocalHostProcess.Start(stream.Options, ["run", "--only", "postgres-to-kafka"], (CrashPoint.PageCommitted, 2, OnPoint.AwaitTerm)))
        {
            await first.UntilReachedAsync();
            Assert.Equal(PollOutcome.StandingBy, (await stream.PollAsync()).Outcome);
            await first.SignalAsync("KILL");
            Assert.Equal(LocalHostProcess.KilledExitCode, (await first.EndAsync()).ExitCode);
        }
        await stream.UntilNobodyPollsAsync();

        Assert.Equal(PollOutcome.Published, (await stream.PollAsync()).Outcome);
        await stream.DrainAsync();
        await stream.StoreAsync();
        await stream.LakeShouldEqualTableAsync();
        Assert.Equal(200, stream.Dump().Records.Count);
    }

    /// <summary>Its session, and so its lock, is lost while it publishes: whoever takes over ends its transaction, and it hears so when it commits.</summary>
    [Fact]
    public async Task a_poller_that_is_replaced_in_mid_page_publishes_nothing()
    {
        await using var stream = await CrashStream.CreateAsync(postgres, kafka);
        await stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, 'x' FROM generate_series(1, 5) i");
        var sent = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var replaced = new ManualResetEventSlim();
        stream.OnReached = point =>
        {
            if (point == CrashPoint.PageProduced && sent.TrySetResult()) replaced.Wait(Patience, Cancellation);
        };
        var next = stream.NewInstance();
        // Behind a page, the client itself refuses to begin another.
        var late = stream.Instance.PollOnePageAsync();
        try
        {
            await sent.Task.WaitAsync(Patience, Cancellation);
            await stream.ExecuteAsync("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'orders-stream' AND datname = current_database()");
            await stream.UntilNobodyPollsAsync();
            Assert.Equal(5, (await next.PollAsync()).Rows);
        }
        finally
        {
            replaced.Set();
        }
        var refused = await Assert.ThrowsAnyAsync<KafkaException>(() => late);
        Assert.Equal(FailureAction.Retry, FailurePolicy.Judge(refused).Action);
        Assert.Equal(PollOutcome.StandingBy, (await stream.PollAsync()).Outcome);

        await stream.StoreAsync();
        await stream.LakeShouldEqualTableAsync();
        Assert.Equal(5, stream.Dump().Records.Count);
    }

    [Fact]
    public async Task eight_partitions_over_three_storers_that_come_and_go_are_stored_once()
    {
        await using var stream = await EightPartitionsAsync();
        await using (var source = new Instance(stream, PipelineHalf.PostgresToKafka))
        await using (var one = new Instance(stream, PipelineHalf.KafkaToLake))
        {
            await using (var two = new Instance(stream, PipelineHalf.KafkaToLake))
            {
                await InsertUntilAsync(stream, 500, two);
                await using (var three = new Instance(stream, PipelineHalf.KafkaToLake)) await InsertUntilAsync(stream, 1_500, three);
                await InsertUntilAsync(stream, 2_000, two);
            }
            await using (var four = new Instance(stream, PipelineHalf.KafkaToLake)) await InsertUntilAsync(stream, 3_000, four);
        }

        Assert.True(await CrashStream.OnceAsync(stream));
        await stream.LakeShouldEqualTableAsync();
        Assert.Equal(3_000, stream.Lake.Count());
    }

    [Fact]
    public async Task what_is_being_committed_when_a_drain_begins_is_stored_by_it()
    {
        await using var stream = await CrashStream.CreateAsync(postgres, kafka);
        await stream.ExecuteAsync("INSERT INTO items (id, name) VALUES (1, 'x')");
        await stream.PollAsync();
        var record = Assert.Single(stream.Dump().Records);
        using var publisher = new ProducerBuilder<byte[], byte[]>(new ProducerConfig { BootstrapServers = kafka.Brokers, TransactionalId = stream.Options.Kafka.Topic }).Build();
        publisher.InitTransactions(Patience);
        publisher.BeginTransaction();
        await publisher.ProduceAsync(new TopicPartition(stream.Options.Kafka.Topic, record.Partition), new Message<byte[], byte[]> { Key = record.Key!, Value = record.Value! }, Cancellation);
        await using var run = new PipelineRun(stream.Options, TimeProvider.System, stream.Log);

        var drain = run.OnceAsync(PipelineHalf.KafkaToLake, Cancellation);
        await Task.WhenAny(drain, Task.Delay(TimeSpan.FromSeconds(2), Cancellation)); // time enough to go wrong; none is needed to go right
        publisher.CommitTransaction(Patience);
        await drain.WaitAsync(Patience, Cancellation);

        Assert.Equal(2, stream.Lake.Count());
    }

    private async Task<TestStream> EightPartitionsAsync()
    {
        kafka.RequireReal("groups share partitions");
        return await TestStream.CreateAsync(postgres, kafka, configure: o => o with
        {
            Kafka = o.Kafka with { Partitions = 8 },
            Streaming = o.Streaming with { BatchInterval = 1 },
        });
    }

    /// <summary>Inserts in small steps until the table has so many rows, and waits until the lake has them; the named storer is at work meanwhile.</summary>
    private static async Task InsertUntilAsync(TestStream stream, int rows, Instance running)
    {
        while (await stream.Database.ScalarAsync<long>("SELECT count(*) FROM items") is var count && count < rows)
            await stream.ExecuteAsync($"INSERT INTO items (id, name) SELECT i, 'x' FROM generate_series({count + 1}, {count + 50}) i");
        await Waiting.UntilAsync(
            () => stream.Lake.Count() >= rows, running.Running, () => $"the lake has {stream.Lake.Count()} of {rows} rows\n{stream.Log}");
    }

    /// <summary>One instance with one half at work.</summary>
    private sealed class Instance : IAsyncDisposable
    {
        private readonly PipelineRun run;
        private readonly CancellationTokenSource stop = new();

        public Instance(TestStream stream, PipelineHalf half)
        {
            run = new PipelineRun(stream.Options, TimeProvider.System, stream.Log);
            Running = run.UntilStoppedAsync(half, null, stop.Token, Cancellation);
        }

        public Task Running { get; }

        public async ValueTask DisposeAsync()
        {
            await stop.CancelAsync();
            await Running.WaitAsync(Patience, Cancellation);
            await run.DisposeAsync();
            stop.Dispose();
        }
    }
}
