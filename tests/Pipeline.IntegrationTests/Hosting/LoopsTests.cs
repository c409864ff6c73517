using Confluent.Kafka;
using OrdersStream.Audit;
using OrdersStream.Capture;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Hosting;
using OrdersStream.Hosting.Loops;
using OrdersStream.Lake.Files;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Programs;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests.Hosting;

public sealed class LoopsTests(PostgresServer postgres, KafkaServer kafka)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task both_halves_carry_rows_along_until_they_are_stopped()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await using var run = pipeline.Run();
        using var stop = new CancellationTokenSource();
        var stored = new Counter();
        run.Stream.Store.Stored = batch => stored.Add(batch.Rows);

        var running = run.UntilStoppedAsync(null, null, stop.Token, Token);
        await stored.ReachesAsync(24, running);
        await pipeline.Database.ExecuteAsync("UPDATE t_orders SET amount = amount + 1");
        await stored.ReachesAsync(48, running);
        await stop.CancelAsync();
        await running.WithPatienceAsync("both halves");

        await using var after = pipeline.Run();
        Assert.Equal((24, 0), (await after.Stream.Comparison.CompareAsync(Token)) is var c ? (c.Equal, c.OnTheWay) : default);
    }

    /// <summary>And how much of it is left, as the server estimates it; of changes no such line is said.</summary>
    [Fact]
    public async Task while_the_whole_table_is_read_lines_say_how_far_it_has_got()
    {
        await using var stream = await TestStream.CreateAsync(
            postgres, kafka, configure: o => o with { Postgres = o.Postgres with { PageBytes = 1_024 } });
        await stream.ExecuteAsync("INSERT INTO items SELECT i, 'item' FROM generate_series(1, 6000) i; ANALYZE items");
        var interval = LoadProgress.Interval;
        LoadProgress.Interval = TimeSpan.FromMilliseconds(50);
        try
        {
            await using var run = stream.NewRun();
            Assert.True(await run.OnceAsync(PipelineHalf.PostgresToKafka, Token));
            var first = Said();
            Assert.NotEmpty(first);
            Assert.All(first, line => Assert.Matches(
                @"^PostgresToKafka: initial load: [\d,]+ rows of about 6,000 \(\d+%\) are in the topic, [\d,]+ rows/s, "
                + @"about [\d,]+ s to go$",
                line));
            await stream.ExecuteAsync("UPDATE items SET updated_at = clock_timestamp()");
            Assert.True(await run.OnceAsync(PipelineHalf.PostgresToKafka, Token));
            Assert.Equal(first.Count, Said().Count);
        }
        finally
        {
            LoadProgress.Interval = interval;
        }

        List<string> Said() => [.. stream.Log.Lines.Where(l => l.Id == 1016).Select(l => l.Message)];
    }

    /// <summary>Each poll finds a new row: what was there as it began is done with the first window.</summary>
    [Fact]
    public async Task a_drain_ends_though_the_table_is_written_faster_than_it_is_polled()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await using var run = pipeline.Run();
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var polls = 0;
        run.PostgresToKafka.Polled = _ =>
        {
            if (++polls >= 5) enough.Cancel();
            Task.Run(() => pipeline.Database.ExecuteAsync("UPDATE t_orders SET amount = amount + 1")).GetAwaiter().GetResult();
        };

        Assert.Equal(DrainEnd.Done, await run.PostgresToKafka.DrainAsync(enough.Token));
        var status = await run.Stream.Status.ReadAsync(Waiting.LessThanATimeout, Token);
        Assert.NotNull(status.Capture!.CapturedUpTo);
    }

    [Fact]
    public async Task the_first_records_wait_for_no_interval_and_the_next_for_one_or_for_the_end()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await using var capture = pipeline.Run();
        await capture.OnceAsync(PipelineHalf.PostgresToKafka, Token);
        // A batch interval that never passes.
        await using var run = pipeline.Run(o => o with { Streaming = o.Streaming with { BatchInterval = 3_600 } });
        using var stop = new CancellationTokenSource();
        var stored = new Counter();
        run.Stream.Store.Stored = batch => stored.Add(batch.Rows);
        var storing = run.KafkaToLake.RunAsync([0, 1, 2, 3], stop.Token);
        await Waiting.UntilAsync(() => stored.Value > 0 && stored.Value + run.Stream.Store.Waiting == 24, storing, Actual);
        var first = stored.Value;
        await pipeline.Database.ExecuteAsync("UPDATE t_orders SET amount = amount + 1");
        await capture.OnceAsync(PipelineHalf.PostgresToKafka, Token);
        await Waiting.UntilAsync(() => stored.Value + run.Stream.Store.Waiting == 48, storing, Actual);
        Assert.Equal((first, first), (stored.Value, (await run.Stream.Status.ReadAsync(Waiting.LessThanATimeout, Token)).Lake.Rows));
        await stop.CancelAsync();
        await storing.WithPatienceAsync("the storing half");
        Assert.Equal(48, (await run.Stream.Status.ReadAsync(Waiting.LessThanATimeout, Token)).Lake.Rows);

        string Actual() => $"{stored.Value} rows are stored, {run.Stream.Store.Waiting} wait";
    }

    [Fact]
    public async Task a_full_batch_does_not_wait_for_the_interval()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await using (var capture = pipeline.Run()) await capture.OnceAsync(PipelineHalf.PostgresToKafka, Token);
        await using var run = pipeline.Run(o => o with
        {
            Streaming = o.Streaming with { BatchInterval = 3_600 }, Datalake = o.Datalake with { BatchRows = 5 },
        });
        using var stop = new CancellationTokenSource();
        var stored = new Counter();
        run.Stream.Store.Stored = batch => stored.Add(batch.Rows);
        var storing = run.KafkaToLake.RunAsync([0, 1, 2, 3], stop.Token);
        await stored.ReachesAsync(20, storing);
        await stop.CancelAsync();
        await storing.WithPatienceAsync("the storing half");
    }

    [Theory]
    [InlineData(CrashPoint.DataFileWritten)]
    [InlineData(CrashPoint.CommitCreated)]
    public async Task a_commit_that_is_under_way_when_the_stop_comes_is_ended(CrashPoint at)
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await using (var capture = pipeline.Run()) await capture.OnceAsync(PipelineHalf.PostgresToKafka, Token);
        using var stop = new CancellationTokenSource();
        await using var run = pipeline.Run(crashPoints: new CrashPoints(reached =>
        {
            if (reached == at) stop.Cancel();
        }));
        var stored = new Counter();
        run.Stream.Store.Stored = batch => stored.Add(batch.Rows);
        // One partition, one batch: what is under way is all of it.
        await run.KafkaToLake.RunAsync([0], stop.Token).WithPatienceAsync("the storing half");
        Assert.NotEqual(0, stored.Value);
        Assert.Equal(stored.Value, (await run.Stream.Status.ReadAsync(Waiting.LessThanATimeout, Token)).Lake.Rows);
    }

    [Fact]
    public async Task two_storing_instances_store_each_record_once()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await using var one = pipeline.Run();
        await using var two = pipeline.Run();
        using var stop = new CancellationTokenSource();
        var stored = new Counter();
        one.Stream.Store.Stored = two.Stream.Store.Stored = batch => stored.Add(batch.Rows);
        // Both hold all partitions, as for a while after a rebalance.
        var running = Task.WhenAll(
            one.UntilStoppedAsync(null, [0, 1, 2, 3], stop.Token, Token),
            two.UntilStoppedAsync(PipelineHalf.KafkaToLake, [0, 1, 2, 3], stop.Token, Token));
        for (var round = 1; round <= 4; round++)
        {
            await stored.ReachesAsync(24 * round, running);
            await pipeline.Database.ExecuteAsync("UPDATE t_orders SET amount = amount + 1");
        }
        await stop.CancelAsync();
        await running.WithPatienceAsync("both halves");
        await one.OnceAsync(null, Token);

        await using var after = pipeline.Run();
        var compared = await after.Stream.Comparison.CompareAsync(Token);
        Assert.Equal((24, 0, ComparisonVerdict.Equal), (compared.Equal, compared.StoredTwice, compared.Verdict));
    }

    /// <summary>Who reads the group's lag, to bring and take away those that store, sees none where none is.</summary>
    [Fact]
    public async Task a_group_that_forgot_its_offsets_hears_that_the_lake_has_everything()
    {
        kafka.RequireReal("groups have offsets");
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await using (var run = pipeline.Run()) await run.OnceAsync(null, Token);
        var group = pipeline.Options.Kafka with { GroupId = $"{pipeline.Options.Kafka.Topic}-another" };
        await using var after = new TestRun(pipeline.Options with { Kafka = group }, TimeProvider.System, pipeline.Log());
        using var stop = new CancellationTokenSource();

        var running = after.UntilStoppedAsync(PipelineHalf.KafkaToLake, null, stop.Token, Token);
        using var look = new ConsumerBuilder<Ignore, Ignore>(
            new ConsumerConfig { BootstrapServers = group.Brokers, GroupId = group.GroupId }).Build();
        var partitions = Enumerable.Range(0, group.Partitions).Select(p => new TopicPartition(group.Topic, p)).ToList();
        var patience = TimeSpan.FromSeconds(30);
        var ends = partitions.Select(p => look.QueryWatermarkOffsets(p, patience).High.Value).ToList();
        Assert.Contains(ends, end => end > 0);
        await Waiting.UntilAsync(
            () => look.Committed(partitions, patience).Select(c => Math.Max(0, c.Offset.Value)).SequenceEqual(ends), running,
            () => "the group was not told");
        await stop.CancelAsync();
        await running.WithPatienceAsync("the storing half");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task members_of_the_group_share_the_partitions_and_take_over(bool inPlace)
    {
        kafka.RequireReal("group rebalancing");
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        var options = pipeline.Options with { Kafka = pipeline.Options.Kafka with { RecordsInPlace = inPlace } };
        await using var one = new TestRun(options, TimeProvider.System, pipeline.Log());
        await using var two = new TestRun(options, TimeProvider.System, pipeline.Log());
        using var stop = new CancellationTokenSource();
        using var stopOne = new CancellationTokenSource();
        var (byOne, byTwo) = (new Counter(), new Counter());
        one.Stream.Store.Stored = batch => byOne.Add(batch.Rows);
        two.Stream.Store.Stored = batch => byTwo.Add(batch.Rows);

        var first = one.UntilStoppedAsync(PipelineHalf.KafkaToLake, null, stopOne.Token, Token);
        var second = two.UntilStoppedAsync(null, null, stop.Token, Token);
        await Waiting.UntilAsync(
            async () =>
            {
                await pipeline.Database.ExecuteAsync("UPDATE t_orders SET amount = amount + 1");
                return byOne.Value > 0 && byTwo.Value > 0;
            },
            Task.WhenAny(first, second).Unwrap(), () => $"one member stored {byOne.Value} rows, the other {byTwo.Value}");
        await stopOne.CancelAsync();
        await first.WithPatienceAsync("the first member");
        await pipeline.Database.ExecuteAsync("UPDATE t_orders SET amount = amount + 1");
        var target = byTwo.Value + 24;
        await byTwo.ReachesAsync(target, second);
        await stop.CancelAsync();
        await second.WithPatienceAsync("the second member");
        await two.OnceAsync(null, Token);

        await using var after = pipeline.Run();
        var compared = await after.Stream.Comparison.CompareAsync(Token);
        Assert.Equal((24, 0, ComparisonVerdict.Equal), (compared.Equal, compared.StoredTwice, compared.Verdict));
        Assert.Empty(pipeline.Warnings);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task a_stop_is_heard_while_a_server_is_away(bool atOnce)
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await using var run = pipeline.Run(o => o with { Postgres = o.Postgres with { Host = "127.0.0.1", Port = 1 } });
        using var stop = new CancellationTokenSource();
        var running = run.UntilStoppedAsync(PipelineHalf.PostgresToKafka, null, stop.Token, atOnce ? stop.Token : CancellationToken.None);
        await Waiting.UntilAsync(() => !pipeline.Warnings.IsEmpty, running, () => "the trouble was not told");
        await stop.CancelAsync();
        await running.WithPatienceAsync("both halves");
        Assert.Single(pipeline.Warnings);
    }

    [Fact]
    public async Task a_half_that_stops_ends_the_other_and_tells_why()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await using var run = pipeline.Run(o => o with { Postgres = o.Postgres with { Table = "no_such_table" } });
        var stopped = await Assert.ThrowsAsync<HalfStoppedException>(
            () => run.UntilStoppedAsync(null, [0, 1, 2, 3], CancellationToken.None, Token).WithPatienceAsync("both halves"));
        Assert.Equal(nameof(PostgresToKafka), stopped.Half);
        Assert.Contains("no_such_table", stopped.Verdict.Problem);
    }

    /// <summary>Counts up, and lets a test wait for a count.</summary>
    private sealed class Counter
    {
        private readonly SemaphoreSlim changed = new(0);
        private long value;

        public long Value => Interlocked.Read(ref value);

        public void Add(long count)
        {
            Interlocked.Add(ref value, count);
            changed.Release();
        }

        public async Task ReachesAsync(long target, Task running)
        {
            while (Value < target)
            {
                var wait = changed.WaitAsync(Waiting.Patience, Token);
                if (await Task.WhenAny(wait, running) == running) await running;
                Assert.True(await wait, $"waited {Waiting.Patience.TotalSeconds} s for {target} rows to be stored, and {Value} were");
            }
        }
    }
}
