using OrdersStream.Capture;

namespace OrdersStream.UnitTests.Capture;

public sealed class CaptureLagTests
{
    private static readonly DateTime Noon = new(2026, 3, 1, 12, 0, 0, DateTimeKind.Utc);

    [Fact]
    public void a_change_can_have_been_committed_just_behind_the_last_horizon() =>
        Assert.Equal(TimeSpan.FromSeconds(7), CaptureLag.Of(Noon, null, Noon.AddSeconds(7)));

    [Fact]
    public void it_cannot_when_later_nothing_was_found() =>
        Assert.Equal(TimeSpan.FromSeconds(2), CaptureLag.Of(Noon, Noon.AddSeconds(5), Noon.AddSeconds(7)));

    [Fact]
    public void what_was_found_before_the_horizon_says_nothing_more() =>
        Assert.Equal(TimeSpan.FromSeconds(7), CaptureLag.Of(Noon, Noon.AddSeconds(-5), Noon.AddSeconds(7)));

    [Fact]
    public void a_clock_that_went_back_makes_no_negative_lag() =>
        Assert.Equal(TimeSpan.Zero, CaptureLag.Of(Noon, null, Noon.AddSeconds(-1)));
}
