using Microsoft.Extensions.Logging;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Hosting.Functions;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.FunctionApp.Tests;

/// <summary>Ticks of the timer.</summary>
public sealed class CaptureTests(PostgresServer postgres, KafkaServer kafka)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task a_tick_that_did_something_is_one_line_with_its_lag_and_a_quiet_one_is_none()
    {
        await using var app = await AppStream.CreateAsync(postgres, kafka, 10);
        var worker = app.NewWorker();
        await worker.TickAsync(Cancellation);
        await app.InsertAsync(11, 5);
        await worker.TickAsync(Cancellation);
        await worker.TickAsync(Cancellation);
        await worker.TickAsync(Cancellation);

        var lines = app.Stream.Log.Lines.Where(l => l.Id is 1005 or 2003 or 2004).ToList();
        Assert.Equal([2004, 2003], lines.Select(l => l.Id));
        Assert.StartsWith("PostgresToKafka: 10 rows, 1 pages, ", lines[0].Message);
        Assert.Contains(", initial load, took ", lines[0].Message);
        Assert.Matches(@"^PostgresToKafka: 5 rows, 1 pages, \d+ bytes, lag \d+\.\d s, took [\d.,]+ m?s, window 2$", lines[1].Message);
    }

    /// <summary>Before the topic is full of rows of which no batch reaches the worker.</summary>
    [Fact]
    public async Task a_table_whose_rows_grow_stops_capture_and_names_the_number()
    {
        await using var app = await AppStream.CreateAsync(postgres, kafka, 20);
        var worker = app.NewWorker(limit: new BatchLimit(Records: 20, Bytes: 20 * 500, HeapBytes: 1_000_000));
        await worker.TickAsync(Cancellation);
        await worker.TickAsync(Cancellation);
        await app.Stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, repeat('x', 1000) FROM generate_series(21, 40) i");
        await worker.TickAsync(Cancellation);
        await app.InsertAsync(41, 1);

        var stopped = await Assert.ThrowsAsync<PipelineException>(() => worker.TickAsync(Cancellation));

        Assert.Equal(FailureAction.Stop, stopped.Action);
        Assert.Contains($"Set {BatchLimit.Variable} to ", stopped.Remedy, StringComparison.Ordinal);
        Assert.Equal(40, app.Records().Length);
    }

    [Theory]
    [InlineData(CrashPoint.PageProduced)]
    [InlineData(CrashPoint.PageCommitted)]
    [InlineData(CrashPoint.WatermarkWritten)]
    public async Task a_worker_that_is_killed_in_mid_poll_leaves_nothing_for_the_next_to_lose_or_double(CrashPoint point)
    {
        kafka.RequireReal("a worker in another process");
        await using var app = await AppStream.CreateAsync(
            postgres, kafka, 200, o => o with { Postgres = o.Postgres with { PageBytes = 1_024 } });
        using (var killed = await WorkerProcess.HaltedAtAsync(point, stores: false, app)) await killed.KillAsync();
        await app.Stream.UntilNobodyPollsAsync();

        var next = app.NewWorker();
        await next.TickAsync(Cancellation);
        await next.TickAsync(Cancellation);
        await next.DeliverAsync(app.Records(), Cancellation);

        await app.Stream.LakeShouldEqualTableAsync();
    }

    [Theory]
    [InlineData(5, 1)]
    [InlineData(300, 5)]
    public async Task a_run_ends_when_the_next_tick_is_due_and_not_before_its_window_is_done_or_a_minute_is_over(int interval, int pages)
    {
        var time = new JumpingTime();
        await using var app = await AppStream.CreateAsync(postgres, kafka, 400, o => o with
        {
            Postgres = o.Postgres with { PageBytes = 1_024 },
            Streaming = o.Streaming with { BatchInterval = interval },
        });
        var worker = app.NewWorker(point => { if (point == CrashPoint.PageCommitted) time.Jump(TimeSpan.FromMinutes(1)); }, time);

        await worker.TickAsync(Cancellation);

        Assert.Equal(pages, app.Stream.Log.Lines.Count(l => l.Id == 2004));
    }

    [Fact]
    public async Task a_failure_reaches_the_host_at_each_tick_and_is_told_once_with_its_remedy()
    {
        await using var app = await AppStream.CreateAsync(postgres, kafka, 10);
        await app.Stream.ExecuteAsync("ALTER TABLE items RENAME TO elsewhere");
        var worker = app.NewWorker();

        for (var tick = 0; tick < 3; tick++)
        {
            await Assert.ThrowsAsync<PipelineException>(() => worker.TickAsync(Cancellation));
            // The server ends a session a moment after it was closed.
            await app.Stream.UntilNobodyPollsAsync();
        }
        var error = Assert.Single(app.Stream.Log.Lines, l => l.Level >= LogLevel.Warning);
        Assert.Equal((9004, LogLevel.Error), (error.Id, error.Level));
        Assert.Contains("items", error.Message);
        var note = Assert.Single(worker.Journal.Recent);
        Assert.Equal((3, FailureAction.Stop, false), (note.Times, note.Action, note.Over));
        await app.Stream.ExecuteAsync("ALTER TABLE elsewhere RENAME TO items");
        await worker.TickAsync(Cancellation);

        Assert.Contains(app.Stream.Log.Lines, l => l.Id == 9003);
        Assert.True(Assert.Single(worker.Journal.Recent).Over);
        await worker.DeliverAsync(app.Records(), Cancellation);
        await app.Stream.LakeShouldEqualTableAsync();
    }

    [Fact]
    public async Task a_run_that_was_started_by_hand_meets_the_timers_without_harm()
    {
        await using var app = await AppStream.CreateAsync(postgres, kafka, 50);
        var worker = app.NewWorker();
        await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => worker.TickAsync(Cancellation))).WithPatienceAsync("the ticks");
        await worker.DeliverAsync(app.Records(), Cancellation);
        await app.Stream.LakeShouldEqualTableAsync();
        Assert.DoesNotContain(app.Ids(LogLevel.Warning), id => id >= 9000);
    }

    private sealed class JumpingTime : TimeProvider
    {
        private long ahead;

        public void Jump(TimeSpan time) => Interlocked.Add(ref ahead, time.Ticks);

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => System.GetUtcNow().Ticks + Interlocked.Read(ref ahead);
    }
}
