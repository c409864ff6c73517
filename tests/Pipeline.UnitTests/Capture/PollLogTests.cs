using OrdersStream.Capture;

namespace OrdersStream.UnitTests.Capture;

public sealed class PollLogTests
{
    private readonly TestTime time = new();
    private readonly TestLog lines = new();
    private readonly PollLog log;

    public PollLogTests() => log = new PollLog(100, time, lines);

    [Fact]
    public void a_poll_that_published_is_told_and_so_is_its_lag()
    {
        log.Polled(Published with { Lag = TimeSpan.FromSeconds(5.2) });
        log.Polled(Published with { IsInitialLoad = true });
        log.Polled(Published);
        Assert.Equal([2003, 2004, 2004], Ids);
        Assert.StartsWith("PostgresToKafka: 1,234 rows, 2 pages, 567,890 bytes, lag 5.2 s, took 1,500 ms", lines.Lines[0].Text);
        Assert.Contains("initial load", lines.Lines[1].Text);
        Assert.Contains("read again", lines.Lines[2].Text);
    }

    [Theory]
    [InlineData(PollOutcome.Idle, 1005)]
    [InlineData(PollOutcome.StandingBy, 1004)]
    public void silence_is_broken_once_a_minute(PollOutcome outcome, int id)
    {
        for (var seconds = 0; seconds < 185; seconds += 5, time.Advance(TimeSpan.FromSeconds(5))) log.Polled(Quiet(outcome));
        Assert.Equal([id, id, id, id], Ids);
    }

    [Fact]
    public void the_line_says_since_when_there_was_nothing_and_up_to_where_all_is_captured()
    {
        var since = time.GetUtcNow();
        log.Polled(Quiet(PollOutcome.Idle));
        time.Advance(TimeSpan.FromSeconds(60));
        log.Polled(Quiet(PollOutcome.Idle));
        Assert.Equal(
            $"PostgresToKafka: nothing new since {since:u}; all that was committed before {since.AddSeconds(60):u} is in the topic",
            lines.Lines[^1].Text);
    }

    [Fact]
    public void what_was_just_published_needs_no_line_that_nothing_is_new()
    {
        log.Polled(Published);
        time.Advance(TimeSpan.FromSeconds(59));
        log.Polled(Quiet(PollOutcome.Idle));
        Assert.Equal([2004], Ids);
        time.Advance(TimeSpan.FromSeconds(1));
        log.Polled(Quiet(PollOutcome.Idle));
        Assert.Equal([2004, 1005], Ids);
    }

    [Fact]
    public void that_rows_are_held_back_is_a_warning_once_then_a_line_a_minute_and_one_when_it_is_over()
    {
        for (var seconds = 0; seconds < 125; seconds += 5, time.Advance(TimeSpan.FromSeconds(5))) log.Polled(HeldBack);
        Assert.Equal([1006, 1007, 1007], Ids);
        Assert.Contains("more than 100 transactions", lines.Lines[0].Text);
        Assert.Contains("the open transaction of session 7 (psql), for 90 s", lines.Lines[0].Text);
        log.Polled(Published with { WindowDone = false });
        Assert.DoesNotContain(1008, Ids);
        log.Polled(Published);
        Assert.Equal([1006, 1007, 1007, 2004, 1008, 2004], Ids);
        Assert.DoesNotContain(1005, Ids);
    }

    [Fact]
    public void a_poll_that_published_says_too_that_others_rows_are_held_back()
    {
        log.Polled(Published with { HeldBack = HeldBack.HeldBack });
        Assert.Equal([1006, 2004], Ids);
    }

    private static PollResult HeldBack => new(PollOutcome.HeldBack, 0, 0, 0, true, default)
    {
        HeldBack = new(new("open", default, 90, 7, "psql")),
    };

    private IEnumerable<int> Ids => lines.Lines.Select(l => l.Id);

    private static PollResult Published => new(PollOutcome.Published, 1_234, 567_890, 2, true, TimeSpan.FromSeconds(1.5));

    private PollResult Quiet(PollOutcome outcome) => new(outcome, 0, 0, 0, true, default) { CapturedUpTo = time.GetUtcNow() };
}
