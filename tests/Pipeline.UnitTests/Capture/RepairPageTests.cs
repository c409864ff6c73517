using System.Collections.Immutable;
using OrdersStream.Capture;
using OrdersStream.Rows;
using static OrdersStream.UnitTests.Postgres.Horizons;

namespace OrdersStream.UnitTests.Capture;

/// <summary>Pages of no window.</summary>
public sealed class RepairPageTests
{
    private static readonly Watermark Idle = Watermark.Start(Source, Topic) with
    {
        Horizon = At(100, 105, Noon), WindowNumber = 3, PageNumber = 8, Rows = 100,
    };

    [Fact]
    public void a_repair_leaves_the_position_where_it_is_and_has_the_next_number()
    {
        var after = Idle.AdvanceBeside(7);
        Assert.Equal((Idle.Horizon, Idle.WindowNumber, null), (after.Horizon, after.WindowNumber, after.Window));
        Assert.Equal((9, 107), (after.PageNumber, after.Rows));
        Assert.True(after.Position.CompareTo(Idle.Position) > 0);
    }

    [Theory, InlineData(true), InlineData(false)]
    public void only_a_repair_is_marked_so(bool isRepair)
    {
        var window = new OrdersStream.Postgres.Window(4, Idle.Horizon, At(110, 110, Noon), Noon, 0, null);
        var position = isRepair ? Idle.AdvanceBeside(1) : Idle.Begin(window).Advance(new Cursor(null, ["1"]), 1);
        var page = new Page(1024).Begin(Orders().Schema);
        page.Add("1"u8, "{}"u8, 0);
        var outgoing = new OutgoingPage(page, position, null, Watermark.NoOffsets);
        var first = new PageHeaders(outgoing, "orders_raw", "abc", isNamed: false, partitions: 1).Next(0)!;

        var header = first.First(h => h.Key == OrdersStream.Kafka.StreamHeader.Page).GetValueBytes();
        Assert.Equal(isRepair, PageStart.Read(header, "orders_raw")!.IsRepair);
    }

    /// <summary>Its rows stand in no window that could be read again; the request for them is still there.</summary>
    [Theory, InlineData(true), InlineData(false)]
    public void a_torn_repair_is_not_sent_again_and_moves_nothing(bool isRepair)
    {
        var window = new OrdersStream.Postgres.Window(4, Idle.Horizon, At(110, 110, Noon), Noon, 0, null);
        var newest = isRepair ? Idle.AdvanceBeside(1) : Idle.Begin(window).Advance(new Cursor(null, ["1"]), 1);
        var torn = new TornPage(9, [0, 1], 2, null, [1]);
        var tail = new TailPosition(
            newest, 9, torn, new Dictionary<int, long>(), new Dictionary<int, long>(), new Dictionary<int, Watermark>(),
            new Dictionary<int, FoundFence>(), new HashSet<int>());

        var found = WatermarkRecovery.Decide(Idle, tail, ImmutableDictionary<int, long>.Empty);
        Assert.Equal(9, found.Watermark!.PageNumber);
        Assert.Equal(Idle.Horizon, found.Watermark.Horizon);
        Assert.Equal(isRepair ? null : torn, found.Torn);
    }
}
