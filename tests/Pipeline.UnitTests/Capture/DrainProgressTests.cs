using OrdersStream.Capture;
using OrdersStream.Postgres;
using static OrdersStream.UnitTests.Postgres.Horizons;

namespace OrdersStream.UnitTests.Capture;

public sealed class DrainProgressTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly DrainProgress progress = new(Patience);

    [Fact]
    public void nothing_left_is_the_end() =>
        Assert.Equal(TableDrain.Done, After(0, Poll(PollOutcome.Idle, window: 0)).End);

    /// <summary>The first may have been another process's, from before this began.</summary>
    [Fact]
    public void the_first_window_is_not_the_last()
    {
        Assert.Equal((null, TimeSpan.Zero), After(0, Poll(PollOutcome.Published, window: 7)));
        Assert.Null(After(1, Poll(PollOutcome.Published, window: 8) with { WindowDone = false }).End);
        Assert.Equal(TableDrain.Done, After(2, Poll(PollOutcome.Published, window: 8)).End);
    }

    [Fact]
    public void who_holds_the_lock_for_longer_than_a_dead_session_can_is_alive()
    {
        var standing = Poll(PollOutcome.StandingBy, window: 0);
        Assert.Null(After(10, standing).End);
        Assert.InRange(After(14.9, standing).Pause, TimeSpan.FromMilliseconds(1), TimeSpan.FromSeconds(1));
        Assert.Equal(TableDrain.StoodBy, After(15, standing).End);
    }

    /// <summary>Its time begins anew with each poll that got on.</summary>
    [Fact]
    public void rows_that_are_held_back_are_waited_for_as_long_as_nothing_moves()
    {
        var held = Poll(PollOutcome.HeldBack, window: 1) with { HeldBack = new(null) };
        Assert.Null(After(0, held).End);
        Assert.Null(After(59, held).End);
        Assert.Null(After(60, Poll(PollOutcome.Published, window: 2) with { HeldBack = new(null) }).End);
        Assert.Null(After(61, held).End);
        Assert.Null(After(120, held).End);
        Assert.Equal(TableDrain.HeldBack, After(121, held).End);
    }

    private (TableDrain? End, TimeSpan Pause) After(double seconds, PollResult poll) => progress.After(poll, TimeSpan.FromSeconds(seconds));

    private static PollResult Poll(PollOutcome outcome, long window) => new(outcome, 1, 1, 1, WindowDone: true, default)
    {
        Window = window == 0 ? null : new Window(window, null, At(1, 2, null), null, 0, null),
    };
}
