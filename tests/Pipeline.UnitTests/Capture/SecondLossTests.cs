using OrdersStream.Capture;
using OrdersStream.Postgres;
using OrdersStream.Rows;
using static OrdersStream.UnitTests.Postgres.Horizons;

namespace OrdersStream.UnitTests.Capture;

/// <summary>The brokers lose an end while what they lost before is still being captured again, in the same window.</summary>
public sealed class SecondLossTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void capture_goes_back_no_less_far_than_for_the_first(bool isInitialLoad)
    {
        // Partition 0 had lost pages 4 to 10, and capture has gone back behind page 3; page 20, the fourth of the window, is lost in 1.
        var from = isInitialLoad ? null : At(100, 100, Noon);
        var (fourth, tenth) = (Position(20, 4, "c4", from), Position(10, 10, "c10", from));
        var tail = new TailPosition(
            fourth, 20, null, new Dictionary<int, long> { [0] = 50, [1] = 90 }, new Dictionary<int, long> { [0] = 20, [1] = 10 },
            new Dictionary<int, Watermark> { [0] = fourth, [1] = tenth }, new Dictionary<int, FoundFence>(), new HashSet<int>());

        var found = WatermarkRecovery.Decide(fourth, tail, new Dictionary<int, long> { [1] = 1 });

        // Rows between c4 and c10 are still to be captured again, and those behind c3 once more.
        Assert.Equal((0, null), (found.Watermark!.Window!.Page, found.Watermark.Window.Cursor));
        var untouched = WatermarkRecovery.Decide(tenth, tail with { Newest = tenth }, new Dictionary<int, long> { [1] = 1 });
        Assert.Equal("c10", untouched.Watermark!.Window!.Cursor!.Key[0]);
    }

    private static Watermark Position(long number, int page, string key, Horizon? from) =>
        Watermark.Start(Source, Topic) with
        {
            PageNumber = number, WindowNumber = 1, Horizon = from,
            Window = new Window(1, from, At(200, 200, Noon), from?.LowerBound, page, new Cursor(null, [key])),
        };
}
