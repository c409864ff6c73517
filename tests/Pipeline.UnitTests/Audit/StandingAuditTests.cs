using Microsoft.Extensions.Logging;
using OrdersStream.Audit;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Kafka;
using OrdersStream.Lake.Files;
using OrdersStream.Status;
using OrdersStream.UnitTests.Postgres;

namespace OrdersStream.UnitTests.Audit;

/// <summary>What is said of the audit's rounds, and of those that do not come to an end.</summary>
public sealed class StandingAuditTests : IDisposable
{
    private static readonly DateTimeOffset Noon = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    /// <summary>
    /// The last whole round took an hour, and the interval is one. Nothing failed: rounds hang, or no process lives as long as one takes,
    /// or the one that captures compares nothing.
    /// </summary>
    [Theory]
    [InlineData(0, false)]
    [InlineData(1, true)]
    public void what_was_found_tells_nothing_any_more_once_no_round_has_come_to_its_end_for_too_long(int minutes, bool isOverdue)
    {
        var state = new AuditState(Found(equal: 10));
        var now = Noon + 27 * Hour + TimeSpan.FromMinutes(minutes);
        Assert.Equal(isOverdue, state.IsOverdue(now, Hour));
        Assert.Equal(isOverdue, (state with { FailedAt = Noon + Hour, Failure = "The lake stays behind." }).IsOverdue(now, Hour));
        Assert.Equal(isOverdue, (state with { AwaitedSince = Noon + Hour, RoundBegunAt = now - Hour }).IsOverdue(now, Hour));
        // Nobody captured in between.
        Assert.False((state with { AwaitedSince = now - 24 * Hour }).IsOverdue(now, Hour));
        // A table that has grown to thirty times as much takes two days, at twice the pace.
        Assert.False((state with { RowsAbout = 300 }).IsOverdue(now + 24 * Hour, Hour));
        // What is known since was compared by repair, as fast as it goes; a round takes longer.
        Assert.False((state with { RoundTook = 14 * Hour }).IsOverdue(now + 24 * Hour, Hour));
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(1, true)]
    public void a_first_round_is_not_waited_for_for_ever(int minutes, bool isOverdue)
    {
        var late = TimeSpan.FromMinutes(minutes);
        var state = new AuditState(null) { AwaitedSince = Noon };
        Assert.Equal(isOverdue, state.IsOverdue(Noon + 14 * 24 * Hour + Hour + late, Hour));
        // Where it is broken off each time, a day is enough; but not while it is tried once more.
        var failing = state with { FailedAt = Noon, Failure = "The lake stays behind." };
        Assert.Equal(isOverdue, failing.IsOverdue(Noon + 25 * Hour + late, Hour));
        Assert.False((failing with { RoundBegunAt = Noon + 25 * Hour }).IsOverdue(Noon + 25 * Hour + late, Hour));
        // Nothing is known to be waited for.
        Assert.False(new AuditState(null).IsOverdue(Noon + 365 * 24 * Hour, Hour));
    }

    [Fact]
    public async Task a_round_is_awaited_since_it_began_first_whatever_processes_come_and_go()
    {
        var time = new TwoClocks { Now = Noon };
        for (var process = 0; process < 2; process++)
        {
            var line = new FirstLine();
            using var stop = new CancellationTokenSource();
            var running = NewAudit(time, Captured, line).RunAsync(stop.Token);
            await line.Said.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
            await stop.CancelAsync();
            await running;
            time.Now += Hour;
        }
        var state = NewAudit(time, Captured, new TestLog()).Read();
        Assert.Equal(Noon, state?.AwaitedSince);

        static OrdersStream.Capture.Watermark Captured() => OrdersStream.Capture.Watermark.Start(Horizons.Source, Horizons.Topic) with
        {
            Horizon = Horizons.At(100, 105, Horizons.Noon), Rows = 10,
        };
    }

    [Fact]
    public void a_round_in_which_nothing_was_due_has_compared_nothing()
    {
        Assert.True(Found(onTheWay: 10).ComparedNothing);
        Assert.False(Found(equal: 1, onTheWay: 9).ComparedNothing);
        Assert.False((Found(onTheWay: 10) with { Extra = 1 }).ComparedNothing);
        // A table without a row is equal to a lake without one.
        Assert.False(Found().ComparedNothing);
        Assert.Equal("no row could be compared", Said(rows: 0, onTheWay: 10).Says);
        Assert.Equal("0 rows were compared, and lake and table are equal", Said(rows: 0, onTheWay: 0).Says);
    }

    /// <summary>Whether it was of use is not remembered by a process that was started anew: the file tells.</summary>
    [Fact]
    public void rows_that_are_missing_round_after_round_need_help_whoever_publishes_them_again()
    {
        var missing = Found(equal: 9) with { Rows = 10, Missing = 1, Requested = 1 };
        var state = new AuditState(null).Next(missing, null);
        Assert.Equal((1, 1L), (state.DifferingRounds, state.RequestedInAll));
        Assert.False(Of(state).NeedsHelp);
        state = state.Next(missing, null);
        Assert.Equal((2, 2L), (state.DifferingRounds, state.RequestedInAll));
        Assert.True(Of(state).NeedsHelp);
        state = state.Next(Found(equal: 10), null);
        Assert.Equal(0, state.DifferingRounds);
        Assert.False(Of(state).NeedsHelp);
        // Extra is no difference, unless it is to be published as deleted.
        Assert.False(Of(state.Next(Found(equal: 10) with { Extra = 5 }, null)).NeedsHelp);
        Assert.True(Of(state.Next(Found(equal: 10) with { Extra = 5 }, HeldDeletes.TooMany(5))).NeedsHelp);
        // Or its deletes are captured, and these were not.
        Assert.True((Of(state.Next(Found(equal: 10) with { Extra = 5 }, null)) with { ExtraUnasked = 5 }).NeedsHelp);

        static AuditStatus Of(AuditState s) => new(
            Noon, 0, s.Last!.Rows, 0, s.Last.Missing, s.Last.Stale, s.Last.Extra, 0, s.Last.Requested, 0, null, s.DifferingRounds,
            s.DeletesHeld?.Why);
    }

    /// <summary>
    /// What changes while a round is in the middle of the table it finds behind there, and the next one before: one cause. What goes on
    /// differs where it did, or a third time.
    /// </summary>
    [Theory]
    [InlineData("5-9 0-4 -", "1 1 0")]
    [InlineData("0-0 0-0", "1 2")]
    [InlineData("5-9 0-4 0-3", "1 1 2")]
    [InlineData("5-9 0-4 - 5-9 0-4", "1 1 0 1 1")]
    [InlineData("0-9 5-9 0-4", "1 2 2")]
    [InlineData("5-9 0-5", "1 2")]
    public void one_change_that_two_rounds_find_a_part_of_each_counts_once(string differing, string rounds)
    {
        var file = new AuditStateFile(Options(), CrashPoints.None);
        var counted = new List<int>();
        foreach (var ranges in differing.Split(' '))
        {
            var found = Found(equal: 10);
            if (ranges != "-") found = found with { Stale = 1, DifferingRanges = (ranges[0] - '0', ranges[2] - '0') };
            // By whichever process.
            file.Write((file.Read() ?? new(null)).Next(found, null));
            counted.Add(file.Read()!.DifferingRounds);
        }
        Assert.Equal(rounds, string.Join(' ', counted));
    }

    /// <summary>It took hours, and what it found was mended meanwhile.</summary>
    [Fact]
    public void a_round_does_not_replace_what_a_repair_found_that_began_after_it()
    {
        var repaired = new AuditState(Found(equal: 10), RequestedInAll: 7);
        var round = Found(equal: 9) with { BegunAt = Noon - 5 * Hour, EndedAt = Noon + Hour, Stale = 1, StoredTwice = 1, Requested = 1 };

        Assert.Null(repaired.Behind(round, HeldDeletes.TooMany(5)));
        var state = repaired.Overtaken(round);
        Assert.Equal((repaired.Last, 8, 0, null), (state.Last, state.RequestedInAll, state.DifferingRounds, state.DeletesHeld));
        // How long a round takes it tells nevertheless, and none is under way.
        Assert.Equal((round.Took, null), (state.RoundTook, state.RoundBegunAt));
        // That one's clock was ahead.
        round = round with { EndedAt = Noon - Hour };
        Assert.Equal(round, repaired.Behind(round, deletesHeld: null)!.Last);
    }

    /// <summary>It was ahead by a day when the process began.</summary>
    [Fact]
    public async Task a_clock_that_is_set_back_does_not_silence_it()
    {
        var time = new TwoClocks { Now = Noon.AddDays(1) };
        var due = new TaskCompletionSource();
        using var stop = new CancellationTokenSource();
        var running = NewAudit(time, () =>
        {
            due.TrySetResult();
            return null;
        }, new TestLog()).RunAsync(stop.Token);

        time.Now = Noon;

        await due.Task.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
        await stop.CancelAsync();
        await running;
    }

    private static AuditFindings Found(long equal = 0, long onTheWay = 0) =>
        new(Noon - Hour, Noon, equal + onTheWay, equal, onTheWay, 0, 0, 0, 0, 0, 0);

    private static AuditStatus Said(long rows, long onTheWay) => new(Noon, 0, rows, onTheWay, 0, 0, 0, 0, 0, 0, null);

    private StandingAudit NewAudit(TimeProvider time, Func<OrdersStream.Capture.Watermark?> position, ILogger logger)
    {
        var options = Options();
        Func<string, ILakeFiles> open = path => new LakeFolder(path, CrashPoints.None);
        return new(
            options, position, new LakeArrival(options, new TopicAdmin(options), new TopicReader(options), open, time), open,
            CrashPoints.None, new PipelineMetrics(options, null), time, logger);
    }

    private PipelineOptions Options() => new()
    {
        Postgres = new() { Host = "127.0.0.1", Port = 1, Db = "food", User = "u", Table = "orders" },
        Kafka = new() { Brokers = "127.0.0.1:1", Topic = "orders" },
        Streaming = new() { CheckpointLocation = folder["checkpoint"], LastProcessedTimestampLocation = folder["lastprocess"] },
    };

    /// <summary>Tells when something is logged.</summary>
    private sealed class FirstLine : ILogger
    {
        private readonly TaskCompletionSource said = new();

        public Task Said => said.Task;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            said.TrySetResult();

        public bool IsEnabled(LogLevel logLevel) => true;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;
    }

    /// <summary>The time of day, which is set, and the time that goes by, which goes by fast.</summary>
    private sealed class TwoClocks : TimeProvider
    {
        private long passed;

        public DateTimeOffset Now { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override DateTimeOffset GetUtcNow() => Now;

        public override long GetTimestamp() => Interlocked.Add(ref passed, TimeSpan.TicksPerMinute);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            System.CreateTimer(callback, state, TimeSpan.Zero, period);
    }
}
