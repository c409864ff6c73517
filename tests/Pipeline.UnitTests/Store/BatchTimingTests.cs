using CsCheck;
using OrdersStream.Store;

namespace OrdersStream.UnitTests.Store;

public sealed class BatchTimingTests
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);
    private static readonly BatchTiming Run = new(Interval, isDrain: false);
    private static readonly BatchTiming Drain = new(Interval, isDrain: true);

    private static TimeSpan Seconds(double seconds) => TimeSpan.FromSeconds(seconds);

    [Fact]
    public void a_trickle_is_due_an_interval_after_the_last_commit_began()
    {
        Assert.Equal(Seconds(3), Run.UntilDue(waited: Seconds(1), sinceCommit: Seconds(2), isBehind: false));
        Assert.True(Run.UntilDue(waited: Seconds(1), sinceCommit: Seconds(5), isBehind: false) <= TimeSpan.Zero);
    }

    [Fact]
    public void what_comes_after_a_pause_waits_only_for_the_rest_of_its_page()
    {
        Assert.Equal(Seconds(0.05), Run.UntilDue(TimeSpan.Zero, sinceCommit: Seconds(3_600), isBehind: false));
        Assert.Equal(Seconds(0.05), Run.UntilDue(TimeSpan.Zero, sinceCommit: null, isBehind: false));
        Assert.Equal(TimeSpan.Zero, Run.UntilDue(Seconds(0.05), sinceCommit: null, isBehind: false));
    }

    [Fact]
    public void a_backlog_is_collected_for_ten_intervals_but_for_the_first_batch()
    {
        Assert.Equal(Seconds(50), Run.UntilDue(TimeSpan.Zero, sinceCommit: Seconds(3_600), isBehind: true));
        Assert.Equal(Seconds(5), Run.UntilDue(TimeSpan.Zero, sinceCommit: null, isBehind: true));
        Assert.Equal(Seconds(7.5), Drain.UntilDue(TimeSpan.Zero, sinceCommit: null, isBehind: true));
        Assert.Equal(Seconds(50), Drain.UntilDue(TimeSpan.Zero, sinceCommit: TimeSpan.Zero, isBehind: true));
    }

    [Fact]
    public void it_is_always_due_in_the_end() =>
        Gen.Select(Gen.Double[0, 100], Gen.Double[0, 100], Gen.Bool.Array[3]).Sample((waited, since, flags) =>
        {
            var (hasCommitted, isBehind, isDrain) = (flags[0], flags[1], flags[2]);
            var timing = isDrain ? Drain : Run;
            var now = timing.UntilDue(Seconds(waited), hasCommitted ? Seconds(since) : null, isBehind);
            var later = timing.UntilDue(Seconds(waited + 51), hasCommitted ? Seconds(since + 51) : null, isBehind);
            return later <= TimeSpan.Zero && later <= now;
        });
}
