using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using OrdersStream.Diagnostics;
using OrdersStream.LocalHost.Terminal;

namespace OrdersStream.IntegrationTests.Diagnostics;

public sealed class RetriesTests
{
    private static readonly Exception Passing = new KafkaException(new Error(ErrorCode.Local_AllBrokersDown));
    private static readonly Exception Lasting = new PipelineException(FailureAction.Stop, "It is broken.", "Mend it.");

    private readonly List<string> lines = [];
    private readonly FailureJournal journal = new("orders", TimeProvider.System);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private Retries NewRetries(TimeSpan? giveUpAfter = null, TimeProvider? time = null) =>
        new(
            "Half", journal, time ?? TimeProvider.System,
            new LineLogger(LogLevel.Information, TimeProvider.System, lines.Add, colours: false), giveUpAfter);

    [Fact]
    public async Task trouble_is_told_when_it_begins_and_when_it_is_over_and_not_in_between()
    {
        var retries = NewRetries();
        for (var i = 0; i < 3; i++) await retries.AfterFailureAsync(Passing, Token);
        Assert.Single(lines);
        retries.Succeeded();
        retries.Succeeded();
        Assert.Equal(2, lines.Count);
        Assert.Contains("works again", lines[1]);
        Assert.Equal((3, true), (journal.Recent.Single().Times, journal.Recent.Single().Over));
    }

    [Fact]
    public async Task other_trouble_is_told_too()
    {
        var retries = NewRetries();
        await retries.AfterFailureAsync(Passing, Token);
        await retries.AfterFailureAsync(new TimeoutException(), Token);
        Assert.Equal(2, lines.Count);
    }

    [Fact]
    public async Task what_does_not_pass_stops_the_half_at_once()
    {
        var stopped = await Assert.ThrowsAsync<HalfStoppedException>(() => NewRetries().AfterFailureAsync(Lasting, Token));
        Assert.Equal(("Half", "Mend it."), (stopped.Half, stopped.Verdict.Remedy));
        Assert.Same(Lasting, stopped.InnerException);
    }

    [Fact]
    public async Task patience_ends()
    {
        var time = new Stopwatch();
        var retries = NewRetries(TimeSpan.FromMinutes(2), time);
        await retries.AfterFailureAsync(Passing, Token);
        time.Elapsed = TimeSpan.FromMinutes(2);
        await Assert.ThrowsAsync<HalfStoppedException>(() => retries.AfterFailureAsync(Passing, Token));
    }

    [Fact]
    public void patience_ends_too_where_the_client_is_left_to_mend_it()
    {
        var retries = NewRetries(TimeSpan.Zero);
        retries.StopIfTooLong();
        Assert.Throws<HalfStoppedException>(() => retries.Note(Passing));
        Assert.Throws<HalfStoppedException>(retries.StopIfTooLong);
        retries.Succeeded();
        retries.StopIfTooLong();
    }

    [Fact]
    public void pauses_grow_and_have_a_limit()
    {
        var pauses = Enumerable.Range(1, 1_000).Select(Retries.PauseBefore).ToList();
        Assert.InRange(pauses[0], TimeSpan.FromMilliseconds(200), TimeSpan.FromMilliseconds(250));
        Assert.InRange(pauses[3], TimeSpan.FromSeconds(1.6), TimeSpan.FromSeconds(2));
        Assert.All(pauses, p => Assert.InRange(p, TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(30)));
    }

    /// <summary>Time that passes when the test says so; pauses are the system's.</summary>
    private sealed class Stopwatch : TimeProvider
    {
        public TimeSpan Elapsed { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Elapsed.Ticks;
    }
}
