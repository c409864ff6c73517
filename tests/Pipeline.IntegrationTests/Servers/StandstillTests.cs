using OrdersStream.TestKit;

namespace OrdersStream.IntegrationTests.Servers;

/// <summary>What the waits of all tests go by.</summary>
public sealed class StandstillTests
{
    private readonly SetClock clock = new();
    private int progress;

    [Fact]
    public void what_makes_progress_is_waited_for_however_slow_it_is()
    {
        var standstill = new Standstill(() => progress, clock);
        for (var looks = 0; looks < 3; looks++)
        {
            clock.Elapsed += Waiting.Patience - TimeSpan.FromSeconds(1);
            progress++;
            Assert.Null(standstill.Look());
        }
    }

    [Theory, InlineData(true), InlineData(false)]
    public void what_stands_still_is_given_up(bool tells)
    {
        var standstill = new Standstill(tells ? () => progress : null, clock);
        clock.Elapsed += Waiting.Patience - TimeSpan.FromSeconds(1);
        Assert.Null(standstill.Look());
        clock.Elapsed += TimeSpan.FromSeconds(1);
        Assert.Contains("nothing changed", standstill.Look(), StringComparison.Ordinal);
    }

    [Fact]
    public void what_changes_for_ever_and_comes_to_no_end_is_given_up_too()
    {
        var standstill = new Standstill(() => progress++, clock);
        for (; clock.Elapsed < Waiting.PatienceMax; clock.Elapsed += TimeSpan.FromMinutes(1)) Assert.Null(standstill.Look());
        Assert.NotNull(standstill.Look());
    }

    private sealed class SetClock : TimeProvider
    {
        public TimeSpan Elapsed { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Elapsed.Ticks;
    }
}
