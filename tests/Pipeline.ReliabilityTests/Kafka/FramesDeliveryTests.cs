using Confluent.Kafka;
using OrdersStream.Capture;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Programs;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Kafka;

/// <summary>Without transactions, on whatever broker there is: one that only keeps the order of a partition.</summary>
public sealed class FramesDeliveryTests(PostgresServer postgres, KafkaServer kafka)
{
    [Fact]
    public async Task pages_without_transactions_are_stored_once_however_they_are_delivered()
    {
        await using var stream = await CrashStream.CreateByFramesAsync(postgres, kafka);
        await stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, repeat('x', 50) FROM generate_series(1, 300) i");
        await stream.PollAsync();
        // Each session begins with its fences.
        await stream.RestartAsync();
        await stream.ExecuteAsync("UPDATE items SET name = 'changed', updated_at = clock_timestamp() WHERE id % 3 = 0");
        await stream.DrainAsync();
        var records = stream.TakeNewRecords();

        foreach (var size in new[] { 1, 7, 50 })
        {
            for (var start = 0; start < records.Count; start += size)
                await stream.Instance.StoreAsync([.. records.Skip(Math.Max(0, start - 5)).Take(size + 5)]);
            await stream.RestartAsync();
            await stream.LakeShouldEqualTableAsync();
        }
        await stream.StoreEverythingAsync();

        Assert.Equal(400, stream.Lake.Count());
        await stream.LakeShouldEqualTableAsync();
        Assert.DoesNotContain(stream.Log.Lines, line => line.Id is 3012 or 3022);
    }

    [Theory, InlineData("transactions", "frames"), InlineData("frames", "transactions")]
    public async Task a_stream_goes_on_when_its_delivery_is_changed(string first, string then)
    {
        await using var stream = await CrashStream.CreateByFramesAsync(postgres, kafka);
        await GoOnAsync(stream, first, "INSERT INTO items (id, name) SELECT i, repeat('x', 50) FROM generate_series(1, 100) i");
        await GoOnAsync(stream, then, "UPDATE items SET name = 'second', updated_at = clock_timestamp() WHERE id % 2 = 0");
        await GoOnAsync(stream, first, "UPDATE items SET name = 'third', updated_at = clock_timestamp() WHERE id % 3 = 0");

        Assert.Equal(183, stream.Lake.Count());
        await stream.LakeShouldEqualTableAsync();
    }

    /// <summary>
    /// It sleeps in mid-page, or before it, and its successor has its file, or finds by the topic alone that it was there. Neither brokers
    /// nor a fence would refuse its page, whose records do not name it: so its successor takes its transactional id.
    /// </summary>
    [Theory, InlineData(CrashPoint.PageProduced, false), InlineData(CrashPoint.WatermarkWritten, true)]
    public async Task a_poller_by_transactions_that_sleeps_while_delivery_is_changed_to_frames_is_refused(CrashPoint at, bool isFileLost)
    {
        await using var stream = await CrashStream.CreateAsync(postgres, kafka);
        await stream.ExecuteAsync("INSERT INTO items (id, name) VALUES (1, 'x')");
        await stream.PollAsync();
        await stream.RestartAsync();
        await stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, 'x' FROM generate_series(2, 5) i");
        var asleep = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var awake = new ManualResetEventSlim();
        stream.OnReached = point =>
        {
            if (point == at && asleep.TrySetResult())
                Assert.True(awake.Wait(Waiting.Patience, TestContext.Current.CancellationToken));
        };
        var late = stream.Instance.PollOnePageAsync();
        try
        {
            await asleep.Task.WithPatienceAsync("the poller to sleep");
            await stream.EndPollersSessionsAsync();
            if (isFileLost) Directory.Delete(stream.Options.Streaming.LastProcessedTimestampLocation, recursive: true);
            Assert.Equal(4, (await stream.NewInstance(CrashStream.ByFrames(stream.Options)).PollAsync()).Rows);
        }
        finally
        {
            awake.Set();
        }
        await Assert.ThrowsAnyAsync<KafkaException>(() => late);

        Assert.Equal(5, stream.Dump().Records.Count(r => r.Value is not null));
        await stream.StoreAsync();
        Assert.Equal(5, stream.Lake.Count());
        await stream.NewestShouldEqualTableAsync();
    }

    /// <summary>Its place in the topic is found without its watermark file, and its own fence on the way.</summary>
    [Fact]
    public async Task a_lost_watermark_file_is_made_up_for_by_the_topics_end()
    {
        await using var stream = await CrashStream.CreateByFramesAsync(postgres, kafka);
        await stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, repeat('x', 50) FROM generate_series(1, 2000) i");
        await stream.DrainAsync();
        Directory.Delete(stream.Options.Streaming.LastProcessedTimestampLocation, recursive: true);
        await stream.RestartAsync();
        await stream.ExecuteAsync("INSERT INTO items (id, name) VALUES (2001, 'x')");
        Assert.Equal(1, (await stream.PollAsync()).Rows);

        await stream.StoreAsync();
        Assert.Equal(2001, stream.Lake.Count());
        await stream.LakeShouldEqualTableAsync();
    }

    private static async Task GoOnAsync(TestStream stream, string delivery, string sql)
    {
        await stream.RestartAsync(o => CrashStream.By(delivery, o));
        await stream.ExecuteAsync(sql);
        await stream.DrainAsync();
        await stream.StoreAsync();
    }
}

/// <summary>
/// Without transactions no broker refuses a publisher that slept and was replaced meanwhile: what it sends when it wakes arrives.
/// </summary>
public sealed class LatePublisherTests(PostgresServer postgres, ProxiedStreams streams) : IClassFixture<ProxiedStreams>
{
    /// <summary>Some pages.</summary>
    private const int Rows = 12_000;

    /// <summary>A fence is smaller, and each request with rows is larger, into however many the client cuts a page's part.</summary>
    private const int RowsBytesMin = 512;

    /// <summary>
    /// Behind the successor's look at the topic's end, and before the successor's page: its number would be the same.
    /// </summary>
    [Theory, InlineData(1), InlineData(6), InlineData(11)]
    public async Task a_page_that_arrives_between_its_successors_look_and_page_costs_no_row(int number)
    {
        await using var stream = await streams.CreateAsync(postgres, Rows, CrashStream.ByFrames);
        var awake = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var armed = new TaskCompletionSource<KafkaFault>(TaskCreationOptions.RunContinuationsAsynchronously);
        OnRowsRequest(number, () => armed.SetResult(streams.Proxy.Delay(KafkaApi.Produce, 1, awake.Task)));
        var late = stream.Instance.PollAsync();
        try
        {
            var asleep = await armed.Task.WithPatienceAsync("a page to be held up");
            await stream.EndPollersSessionsAsync();
            await stream.ExecuteAsync("UPDATE items SET name = 'changed', updated_at = clock_timestamp() WHERE id % 3 <> 0");
            OnRowsRequest(1, () =>
            {
                awake.SetResult();
                streams.Proxy.Delay(KafkaApi.Produce, 1, asleep.Answered);
            });
            var next = stream.NewInstance();
            while ((await next.PollAsync()).Outcome == PollOutcome.Published) { }
        }
        finally
        {
            awake.TrySetResult();
        }

        var replaced = await Record.ExceptionAsync(() => late);
        await stream.StoreAsync();
        await ProxiedStreams.LakeShouldBeExactAsync(stream);
        Assert.Equal(FailureAction.Retry, FailurePolicy.Judge(Assert.IsType<PipelineException>(replaced)).Action);
        Assert.Contains("has begun meanwhile", replaced.Message, StringComparison.Ordinal);
    }

    /// <summary>SIGSTOP in mid-page, for longer than its session lives, and SIGCONT when the successor is far ahead.</summary>
    [Fact]
    public async Task a_poller_process_that_sleeps_in_mid_page_and_wakes_when_it_is_replaced_costs_no_row()
    {
        await using var stream = await streams.CreateAsync(
            postgres, Rows, o => CrashStream.ByFrames(o) with { Streaming = o.Streaming with { BatchInterval = 1 } });
        var asleep = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        RunningProgram? first = null;
        OnRowsRequest(6, () =>
        {
            Volatile.Read(ref first)!.Stop();
            asleep.SetResult();
        });
        using var poller = LocalHostProcess.Start(stream.Options, ["run", "--only", "postgres-to-kafka"]);
        Volatile.Write(ref first, poller);
        await using var second = stream.NewInstance();
        try
        {
            await asleep.Task.WithPatienceAsync("a page to be met");
            await stream.EndPollersSessionsAsync();
            await stream.ExecuteAsync("UPDATE items SET name = 'changed', updated_at = clock_timestamp() WHERE id % 3 <> 0");
            while ((await second.PollAsync()).Outcome == PollOutcome.Published) { }
            await stream.StoreAsync();
        }
        finally
        {
            await poller.SignalAsync("CONT");
        }
        await poller.UntilSaidAsync("standing by");
        await second.DisposeAsync();
        await stream.ExecuteAsync("UPDATE items SET name = 'again', updated_at = clock_timestamp() WHERE id % 7 = 0");
        await Waiting.UntilAsync(async () =>
        {
            await stream.StoreAsync();
            return stream.Lake.Rows($"SELECT count(DISTINCT id) FROM {stream.Lake.Source} WHERE name = 'again'")[0][0] == "1714";
        }, null, () => stream.Log.ToString());

        await poller.SignalAsync("TERM");
        Assert.Equal(0, (await poller.EndAsync()).ExitCode);
        await ProxiedStreams.LakeShouldBeExactAsync(stream);
    }

    /// <summary>A page is one request a partition at least, and the table has four.</summary>
    private void OnRowsRequest(int number, Action then)
    {
        var met = 0;
        streams.Proxy.Observe(asked: request =>
        {
            if (request.Api == KafkaApi.Produce && request.Frame.Length >= RowsBytesMin && Interlocked.Increment(ref met) == number) then();
        });
    }
}
