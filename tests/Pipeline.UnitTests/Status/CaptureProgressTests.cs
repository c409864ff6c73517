using OrdersStream.Capture;
using OrdersStream.Postgres;
using OrdersStream.Status;
using static OrdersStream.UnitTests.Postgres.Horizons;

namespace OrdersStream.UnitTests.Status;

public sealed class CaptureProgressTests
{
    [Fact]
    public void a_window_between_two_horizons_is_no_initial_load_though_it_looks_at_rows_of_any_time()
    {
        var (from, to) = (At(100, 105, Noon), At(200, 205, Noon));
        Assert.Equal("changes", KindOf(new Window(2, from, to, null, 0, null, IsOfAnyTime: true), from));
        Assert.Equal("initial load", KindOf(new Window(1, null, to, null, 0, null), null));
        Assert.Equal("reread", KindOf(new Window(2, null, to, Noon, 0, null), from));
    }

    [Fact]
    public void the_whole_table_is_read_again_where_it_was_captured_before()
    {
        var (before, to) = (At(100, 105, Noon), At(200, 205, Noon));
        Assert.Equal("reread", KindOf(new Window(2, null, to, null, 0, null), before));
        Assert.Equal("initial load", KindOf(new Window(2, null, to, null, 0, null), null));
    }

    private static string? KindOf(Window window, Horizon? before) =>
        CaptureProgress.Describe((Watermark.Start(Source, Topic) with { Horizon = before }).Begin(window), null, null).Window?.Kind;
}
