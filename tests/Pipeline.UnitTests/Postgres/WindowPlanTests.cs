using OrdersStream.Postgres;
using static OrdersStream.UnitTests.Postgres.Horizons;

namespace OrdersStream.UnitTests.Postgres;

public sealed class WindowPlanTests
{
    private static readonly TimeSpan Overlap = TimeSpan.FromHours(1);
    private static readonly Horizon Last = At(100, 105, Noon.AddSeconds(-10));
    private static readonly Horizon To = At(110, 110, Noon);

    [Fact]
    public void the_first_window_is_the_whole_table()
    {
        var plan = WindowPlan.Next(1, null, To, false, Overlap);
        Assert.Equal(new Window(1, null, To, null, 0, null), plan.Window);
        Assert.False(plan.IsReread);
    }

    [Fact]
    public void an_ordinary_window_begins_at_the_last_horizon_and_its_bound() =>
        Assert.Equal(new Window(2, Last, To, Last.LowerBound, 0, null), WindowPlan.Next(2, Last, To, false, Overlap).Window);

    [Fact]
    public void after_a_rewind_no_transaction_id_is_trusted_and_the_overlap_is_read_again()
    {
        var plan = WindowPlan.Next(2, Last, To, rewound: true, Overlap);
        Assert.True(plan.IsReread);
        Assert.Null(plan.Window.From);
        Assert.Equal(Last.LowerBound - Overlap, plan.Window.LowerBound);
    }

    [Fact]
    public void after_a_rewind_to_before_the_last_bound_the_clock_tells_where_to_read_from()
    {
        var plan = WindowPlan.Next(2, Last, To with { TakenAt = Noon.AddDays(-1) }, rewound: true, Overlap);
        Assert.Equal(Noon.AddDays(-1) - Overlap, plan.Window.LowerBound);
    }

    [Fact]
    public void a_position_of_two_billion_transactions_ago_is_not_compared()
    {
        var plan = WindowPlan.Next(2, Last, To with { Xmax = Last.Xmin + (1UL << 31) }, false, Overlap);
        Assert.True(plan.IsReread);
        Assert.Null(plan.Window.From);
        Assert.False(WindowPlan.Next(2, Last, To with { Xmax = Last.Xmin + (1UL << 31) - 1 }, false, Overlap).IsReread);
    }

    [Fact]
    public void a_clock_that_went_back_lowers_the_bound_and_keeps_the_horizon()
    {
        var plan = WindowPlan.Next(2, Last, To with { TakenAt = Noon.AddHours(-3) }, false, Overlap);
        Assert.Equal(Last, plan.Window.From);
        Assert.Equal(Noon.AddHours(-4), plan.Window.LowerBound);
    }

    [Fact]
    public void where_the_last_horizon_had_no_bound_no_window_has_one() =>
        Assert.Null(WindowPlan.Next(2, Last with { LowerBound = null }, To, rewound: true, Overlap).Window.LowerBound);
}
