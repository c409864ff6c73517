using OrdersStream.Status;

namespace OrdersStream.UnitTests.Status;

public sealed class WaitingLakeTests
{
    private static readonly DateTimeOffset At = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    private static readonly Backlog Waits = new(true, 4, "records wait"), None = new(false, 0, "none"), Untold = new(null, null, "untold");

    [Fact]
    public void what_waited_waits_on_while_the_lake_stands_where_it_stood()
    {
        var lake = new WaitingLake();
        Assert.Null(lake.AtLeast(Untold, [In(0, 10, null)], At));
        Assert.Null(lake.AtLeast(Waits, [In(0, 10, 5), In(1, 20, 0)], At));
        Assert.Equal(34, lake.AtLeast(Untold, [In(0, 10, null), In(1, 99, null)], At.AddSeconds(30)));
        // Something of it was stored.
        Assert.Null(lake.AtLeast(Untold, [In(0, 11, null), In(1, 99, null)], At.AddSeconds(30)));
        // Nobody knows where the lake stands.
        Assert.Null(lake.AtLeast(Untold, [], At.AddSeconds(30)));
    }

    [Fact]
    public void what_nothing_is_known_of_has_no_least_lag()
    {
        var lake = new WaitingLake();
        lake.AtLeast(Waits, [In(0, 10, 5)], At);
        Assert.Null(lake.AtLeast(None, [In(0, 15, 0)], At.AddSeconds(5)));
        Assert.Null(lake.AtLeast(Untold, [In(0, 15, null)], At.AddSeconds(30)));
    }

    private static PartitionStatus In(int partition, long next, long? lag) => new(partition, 0, null, next, lag, 0, 0, 0, null);
}
