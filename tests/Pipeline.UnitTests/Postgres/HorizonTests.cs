using OrdersStream.Postgres;
using static OrdersStream.UnitTests.Postgres.Horizons;

namespace OrdersStream.UnitTests.Postgres;

public sealed class HorizonTests
{
    private static readonly TimeSpan Slack = TimeSpan.FromSeconds(10);

    [Fact]
    public void the_bound_is_the_clock_less_the_slack_when_nothing_is_open() =>
        Assert.Equal(Noon - Slack, Horizon.Bound(Noon, null, [], Slack));

    [Fact]
    public void the_oldest_open_transaction_holds_the_bound_back() =>
        Assert.Equal(Noon.AddMinutes(-5) - Slack, Horizon.Bound(Noon, Noon.AddMinutes(-5), [], Slack));

    [Fact]
    public void a_start_ahead_of_the_clock_does_not_push_the_bound_forward() =>
        Assert.Equal(Noon - Slack, Horizon.Bound(Noon, Noon.AddMinutes(5), [], Slack));

    [Fact]
    public void a_prepared_transaction_holds_the_bound_back() =>
        Assert.Equal(Noon.AddHours(-2) - Slack, Horizon.Bound(Noon, Noon.AddMinutes(-5), [Noon.AddHours(-1), Noon.AddHours(-2)], Slack));

    [Fact]
    public void a_prepared_transaction_of_unknown_age_leaves_no_bound() =>
        Assert.Null(Horizon.Bound(Noon, null, [Noon.AddHours(-1), null], Slack));

    [Fact]
    public void without_seen_transactions_only_the_xmin_decides() =>
        Assert.Equal("NOT (age(xmin) BETWEEN 0 AND age('100'::xid))", At(100, 105, Noon).Contains("xmin"));

    [Fact]
    public void seen_transactions_are_in_the_horizon_too() =>
        Assert.Equal(
            "(NOT (age(xmin) BETWEEN 0 AND age('100'::xid)) OR xmin = ANY ('{101,103}'::xid[]))",
            At(100, 105, Noon, 101, 103).Contains("xmin"));

    [Fact]
    public void an_id_beyond_32_bits_is_compared_by_its_low_half() =>
        Assert.Contains("age('7'::xid)", At((3UL << 32) + 7, (3UL << 32) + 9, Noon).Contains("xmin"));
}
