using OrdersStream.Kafka;
using OrdersStream.Store;

namespace OrdersStream.UnitTests.Store;

public sealed class HiddenEndWatchTests
{
    private const int Said = 3017;

    private readonly TestTime time = new();
    private readonly TestLog log = new();
    private readonly HiddenEndWatch watch;
    private IReadOnlyList<HiddenEnd> hidden = [];
    private int asked;

    public HiddenEndWatchTests() => watch = new(
        _ =>
        {
            asked++;
            return Task.FromResult(hidden);
        }, "orders", time, log);

    [Fact]
    public void what_a_transaction_hides_for_long_is_said_once_a_minute_with_the_remedy()
    {
        hidden = [new(1, 40, 95), new(2, 7, 12)];
        for (var second = 0; second < 100; second++, time.Advance(TimeSpan.FromSeconds(1))) Look((1, 40, 95), (2, 7, 12));

        Assert.Equal([Said, Said], log.Lines.Select(l => l.Id));
        Assert.StartsWith(
            "partition 1: from offset 40 on nothing can be read until the transaction ends that is open there; so 60 offsets of 2 "
            + "partitions are hidden.", log.Lines[0].Text, StringComparison.Ordinal);
        Assert.Contains("kafka-transactions.sh", log.Lines[0].Text, StringComparison.Ordinal);
        Assert.True(watch.StandsFor(1) >= TimeSpan.FromSeconds(99), $"{watch.StandsFor(1)}");
        Assert.Equal(TimeSpan.Zero, watch.StandsFor(0));
    }

    [Fact]
    public void an_end_that_moves_on_is_no_hidden_one()
    {
        hidden = [new(1, 40, 95)];
        for (var second = 0; second < 100; second++, time.Advance(TimeSpan.FromSeconds(1)))
            Look((1, 40 + second / 5, 95 + second / 5));

        Assert.Equal((0, 0), (asked, log.Lines.Count));
        Assert.Equal(TimeSpan.Zero, watch.StandsFor(1));
    }

    [Fact]
    public void what_the_brokers_do_not_confirm_is_not_said()
    {
        for (var second = 0; second < 100; second++, time.Advance(TimeSpan.FromSeconds(1))) Look((1, 40, 95));
        // The transaction has ended, and what it hid is on its way.
        hidden = [new(1, 60, 95)];
        for (var second = 0; second < 100; second++, time.Advance(TimeSpan.FromSeconds(1))) Look((1, 40, 95));

        Assert.InRange(asked, 2, 20);
        Assert.Empty(log.Lines);
        Assert.Equal(TimeSpan.Zero, watch.StandsFor(1));
    }

    [Fact]
    public void what_was_hidden_and_is_read_now_stands_no_more()
    {
        hidden = [new(1, 40, 95)];
        for (var second = 0; second < 20; second++, time.Advance(TimeSpan.FromSeconds(1))) Look((1, 40, 95));
        Assert.NotEqual(TimeSpan.Zero, watch.StandsFor(1));
        Look((1, 95, 95));
        Assert.Equal(TimeSpan.Zero, watch.StandsFor(1));
    }

    /// <summary>Else a drain would end before it had read anything.</summary>
    [Fact]
    public void where_an_earlier_consumer_stood_says_nothing_of_the_next_one_but_is_not_said_twice_a_minute()
    {
        hidden = [new(1, 40, 95)];
        for (var second = 0; second < 20; second++, time.Advance(TimeSpan.FromSeconds(1))) Look((1, 40, 95));
        watch.BeginAnew();
        Assert.Equal(TimeSpan.Zero, watch.StandsFor(1));
        for (var second = 0; second < 20; second++, time.Advance(TimeSpan.FromSeconds(1))) Look((1, 40, 95));
        Assert.NotEqual(TimeSpan.Zero, watch.StandsFor(1));
        Assert.Single(log.Lines);
    }

    private void Look(params (int Partition, long Next, long End)[] ends) => watch.Look(
        ends.Select(e => (e.Partition, e.Next)), p => ends.Single(e => e.Partition == p).End, CancellationToken.None);
}
