using System.Diagnostics;
using Confluent.Kafka;
using OrdersStream.Capture;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Hosting.Loops;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests;

/// <summary>Two of everything, and more, that come and go.</summary>
public sealed class InstanceTests(PostgresServer postgres, KafkaServer kafka)
{
    private const int GroupShared = 3021;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory, InlineData("transactions"), InlineData("frames")]
    public async Task a_poller_that_stands_by_takes_over_with_its_first_poll_after_the_others_death(string delivery)
    {
        await using var stream = await CrashStream.CreateAsync(postgres, kafka, o => CrashStream.By(delivery, o));
        await stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, repeat('x', 50) FROM generate_series(1, 200) i");
        string[] capture = ["run", "--only", "postgres-to-kafka"];
        using (var first = LocalHostProcess.Start(stream.Options, capture, (CrashPoint.PageCommitted, 2, OnPoint.AwaitTerm)))
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
        Assert.Equal(200, stream.Dump().Records.Count(r => r.Value is not null));
    }

    /// <summary>
    /// Its session, and so its lock, is lost while it publishes: whoever takes over ends its transaction, and it hears so when it commits.
    /// </summary>
    [Fact]
    public async Task a_poller_that_is_replaced_in_mid_page_publishes_nothing()
    {
        await using var stream = await CrashStream.CreateAsync(postgres, kafka);
        await stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, 'x' FROM generate_series(1, 5) i");
        var sent = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var replaced = new ManualResetEventSlim();
        stream.OnReached = point =>
        {
            if (point == CrashPoint.PageProduced && sent.TrySetResult()) Assert.True(replaced.Wait(Waiting.Patience, Cancellation));
        };
        var next = stream.NewInstance();
        // One page only: a client that was fenced refuses to begin the next one, and that would hide what became of this commit.
        var late = stream.Instance.PollOnePageAsync();
        try
        {
            await sent.Task.WithPatienceAsync("the page to be sent");
            await stream.EndPollersSessionsAsync();
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
    public async Task a_poller_process_takes_over_after_the_others_death_without_waiting_for_a_timeout()
    {
        var interval = TimeSpan.FromSeconds(1);
        await using var stream = await TestStream.CreateAsync(
            postgres, kafka, configure: o => o with { Streaming = o.Streaming with { BatchInterval = (int)interval.TotalSeconds } });
        await stream.ExecuteAsync("INSERT INTO items (id, name) VALUES (1, 'x')");
        using var first = LocalHostProcess.Start(stream.Options, ["run", "--only", "postgres-to-kafka"]);
        await first.UntilSaidAsync("PostgresToKafka: 1 rows");
        using var second = LocalHostProcess.Start(stream.Options, ["run", "--only", "postgres-to-kafka"]);
        await second.UntilSaidAsync("standing by");

        await first.SignalAsync("KILL");
        Assert.Equal(LocalHostProcess.KilledExitCode, (await first.EndAsync()).ExitCode);
        var died = Stopwatch.GetTimestamp();
        await stream.ExecuteAsync("INSERT INTO items (id, name) VALUES (2, 'x')");
        await second.UntilSaidAsync("PostgresToKafka: 1 rows");

        // Opening takes a moment, on a busy machine a longer one. Whatever waits for a time-out takes longer still.
        Assert.InRange(Stopwatch.GetElapsedTime(died), TimeSpan.Zero, interval + Waiting.LessThanATimeout);
        Assert.Equal(2, stream.Dump().Records.Count);
    }

    /// <summary>A server lets go of a dead session's lock a moment late; a session that holds it for longer is alive.</summary>
    [Fact]
    public async Task a_run_to_the_end_waits_for_a_dead_pollers_lock_and_not_for_a_live_one()
    {
        await using var stream = await CrashStream.CreateAsync(postgres, kafka);
        Assert.Equal(PollOutcome.Idle, (await stream.PollAsync()).Outcome);
        await stream.ExecuteAsync("INSERT INTO items (id, name) VALUES (1, 'x')");
        await using var run = stream.NewRun();
        Assert.False(await run.OnceAsync(PipelineHalf.PostgresToKafka, Cancellation));
        // Nor does the command say that all is done.
        Assert.Equal(3, await LocalHostProcess.OnceAsync(stream.Options));

        using var refused = new SemaphoreSlim(0);
        run.PostgresToKafka.Polled = poll =>
        {
            if (poll.Outcome == PollOutcome.StandingBy) refused.Release();
        };
        var once = run.OnceAsync(PipelineHalf.PostgresToKafka, Cancellation);
        Assert.True(await refused.WaitAsync(Waiting.Patience, Cancellation));
        await stream.Instance.DisposeAsync();
        Assert.True(await once.WithPatienceAsync("the run to the end"));
        Assert.Single(stream.Dump().Records);
    }

    [Theory, InlineData("transactions"), InlineData("frames")]
    public async Task eight_partitions_over_three_storers_that_come_and_go_are_stored_once(string delivery)
    {
        await using var stream = await EightPartitionsAsync(batchInterval: 1, delivery);
        await using (var source = new Instance(stream, PipelineHalf.PostgresToKafka))
        await using (var one = new Instance(stream, PipelineHalf.KafkaToLake))
        {
            await InsertUntilStoresAsync(stream, one);
            var two = new Instance(stream, PipelineHalf.KafkaToLake);
            await InsertUntilStoresAsync(stream, two);
            var three = new Instance(stream, PipelineHalf.KafkaToLake);
            await InsertUntilStoresAsync(stream, three);
            await InsertWhileAsync(stream, three.DisposeAsync().AsTask());
            await InsertUntilStoresAsync(stream, two);
            await InsertWhileAsync(stream, two.DisposeAsync().AsTask());
            await using (var four = new Instance(stream, PipelineHalf.KafkaToLake)) await InsertUntilStoresAsync(stream, four);
            await InsertUntilStoresAsync(stream, one);
        }

        Assert.True(await CrashStream.OnceAsync(stream));
        await stream.LakeShouldEqualTableAsync();
        Assert.Equal(await stream.Database.ScalarAsync<long>("SELECT count(*) FROM items"), stream.Lake.Count());
        Assert.DoesNotContain(stream.Log.Lines, line => line.Id == GroupShared);
    }

    /// <summary>Each would get some partitions only, and be told nothing by its own records.</summary>
    [Fact]
    public async Task two_lakes_that_share_a_consumer_group_are_told_of_one_another()
    {
        await using var stream = await EightPartitionsAsync(batchInterval: 1);
        await InsertAsync(stream);
        await stream.DrainAsync();
        await using var one = new Instance(stream, PipelineHalf.KafkaToLake);
        var two = new Instance(stream, PipelineHalf.KafkaToLake, AnotherLake);

        await stream.UntilAsync(
            () => stream.Log.Lines.Count(line => line.Id == GroupShared) == 2, Task.WhenAny(one.Running, two.Running).Unwrap(),
            () => "not both lakes were told of the other");

        Assert.All(stream.Log.Lines.Where(line => line.Id == GroupShared), line =>
            Assert.Contains($"'{stream.Options.Kafka.EffectiveGroupId}'", line.Message, StringComparison.Ordinal));
        await two.DisposeAsync();
        await using var own = new Instance(
            stream, PipelineHalf.KafkaToLake, o => AnotherLake(o) with { Kafka = o.Kafka with { GroupId = o.Kafka.Topic + "-2" } });
        await stream.UntilAsync(
            () => one.Stored == 50 && two.Stored + own.Stored == 50, Task.WhenAny(one.Running, own.Running).Unwrap(),
            () => $"{one.Stored} rows are in one lake, {two.Stored + own.Stored} in the other");
    }

    private static PipelineOptions AnotherLake(PipelineOptions options) => options with
    {
        Datalake = options.Datalake with { Path = options.Datalake.Path + "-2" },
        Streaming = options.Streaming with { CheckpointLocation = options.Streaming.CheckpointLocation + "-2" },
    };

    [Fact]
    public async Task a_batch_that_is_being_collected_is_stored_before_its_partitions_go_to_another_storer()
    {
        // An interval that never passes: only what goes to another is stored before the end.
        await using var stream = await EightPartitionsAsync(batchInterval: 3_600);
        await InsertAsync(stream);
        await stream.DrainAsync();
        await using (var one = new Instance(stream, PipelineHalf.KafkaToLake))
        {
            await Waiting.UntilAsync(
                () => one.Stored > 0 && one.Stored + one.Waiting == 50, one.Running,
                () => $"{one.Stored} rows are stored, {one.Waiting} wait", () => (one.Stored, one.Waiting));
            await InsertAsync(stream);
            await stream.DrainAsync();
            await Waiting.UntilAsync(
                () => one.Waiting >= 50 && one.Stored + one.Waiting == 100, one.Running,
                () => $"{one.Stored} rows are stored, {one.Waiting} wait", () => (one.Stored, one.Waiting));

            await using var two = new Instance(stream, PipelineHalf.KafkaToLake);
            await Waiting.UntilAsync(
                () => one.Stored == 100, Task.WhenAny(one.Running, two.Running).Unwrap(),
                () => $"{one.Stored} rows are stored, {one.Waiting} wait", () => (one.Stored, one.Waiting));
            await InsertAsync(stream);
            await stream.DrainAsync();
            await Waiting.UntilAsync(
                () =>
                    two.Stored + two.Waiting > 0
                        && one.Stored + one.Waiting + two.Stored + two.Waiting == 150, Task.WhenAny(one.Running, two.Running).Unwrap(),
                () =>
                    $"{one.Stored} and {two.Stored} rows are stored, {one.Waiting} and {two.Waiting} wait", () =>
                        (one.Stored, one.Waiting, two.Stored, two.Waiting));
        }

        await stream.LakeShouldEqualTableAsync();
        Assert.Equal(150, stream.Lake.Count());
    }

    [Fact]
    public async Task what_is_being_committed_when_a_drain_begins_is_stored_by_it()
    {
        await using var stream = await CrashStream.CreateAsync(postgres, kafka);
        await stream.ExecuteAsync("INSERT INTO items (id, name) VALUES (1, 'x')");
        await stream.PollAsync();
        var record = Assert.Single(stream.Dump().Records);
        using var publisher = new ProducerBuilder<byte[], byte[]>(
            new ProducerConfig { BootstrapServers = kafka.Brokers, TransactionalId = stream.Options.Kafka.Topic }).Build();
        publisher.InitTransactions(Waiting.Patience);
        publisher.BeginTransaction();
        await publisher.ProduceAsync(
            new TopicPartition(stream.Options.Kafka.Topic, record.Partition),
            new Message<byte[], byte[]> { Key = record.Key!, Value = record.Value! }, Cancellation);
        await using var run = stream.NewRun();

        var drain = run.OnceAsync(PipelineHalf.KafkaToLake, Cancellation);
        await Task.WhenAny(drain, Task.Delay(TimeSpan.FromSeconds(2), Cancellation)); // time enough to go wrong; none is needed to go right
        publisher.CommitTransaction(Waiting.Patience);
        await drain.WithPatienceAsync("the drain");

        Assert.Equal(2, stream.Lake.Count());
    }

    private async Task<TestStream> EightPartitionsAsync(int batchInterval, string delivery = "transactions")
    {
        kafka.RequireReal("groups share partitions");
        return await TestStream.CreateAsync(postgres, kafka, configure: o => CrashStream.By(delivery, o with
        {
            Kafka = o.Kafka with { Partitions = 8 },
            Streaming = o.Streaming with { BatchInterval = batchInterval },
        }));
    }

    private static Task InsertAsync(TestStream stream) =>
        stream.ExecuteAsync(
            "INSERT INTO items (id, name) SELECT n + i, 'x' FROM (SELECT count(*) n FROM items) c, generate_series(1, 50) i");

    /// <summary>Rows come until this storer has stored some more of them.</summary>
    private static async Task InsertUntilStoresAsync(TestStream stream, Instance storer)
    {
        var before = storer.Stored;
        await Waiting.UntilAsync(
            async () =>
            {
                await InsertAsync(stream);
                return storer.Stored > before;
            },
            storer.Running, () => $"it has stored {before} rows and no more\n{stream.Log}");
    }

    private static async Task InsertWhileAsync(TestStream stream, Task leaving)
    {
        do await InsertAsync(stream);
        while (!leaving.IsCompleted);
        await leaving;
    }

    /// <summary>One instance with one half at work.</summary>
    private sealed class Instance : IAsyncDisposable
    {
        private readonly TestRun run;
        private readonly CancellationTokenSource stop = new();
        private long stored;

        public Instance(TestStream stream, PipelineHalf half, Func<PipelineOptions, PipelineOptions>? configure = null)
        {
            run = stream.NewRun(configure);
            run.Stream.Store.Stored = batch => Interlocked.Add(ref stored, batch.Rows);
            Running = run.UntilStoppedAsync(half, null, stop.Token, Cancellation);
        }

        public Task Running { get; }

        /// <summary>Rows that it has stored.</summary>
        public long Stored => Interlocked.Read(ref stored);

        /// <summary>Rows that it has collected and not stored yet.</summary>
        public long Waiting => run.Stream.Store.Waiting;

        public async ValueTask DisposeAsync()
        {
            await stop.CancelAsync();
            await Running.WithPatienceAsync("the instance");
            await run.DisposeAsync();
            stop.Dispose();
        }
    }
}
