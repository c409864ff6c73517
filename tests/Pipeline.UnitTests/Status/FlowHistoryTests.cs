using OrdersStream.Status;

namespace OrdersStream.UnitTests.Status;

public sealed class FlowHistoryTests
{
    private static readonly DateTimeOffset Start = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void before_two_readings_there_is_no_rate()
    {
        var history = new FlowHistory();
        Assert.Equal((null, null, null), (history.Read().Since, history.Read().PublishedPerSecond, history.Read().StoredPerSecond));
        history.Add(Start, 100, 50, 0, 3);
        var flow = history.Read();
        Assert.Equal((Start, null, null), (flow.Since, flow.PublishedPerSecond, flow.StoredPerSecond));
        Assert.Equal(new FlowSample(Start, null, null, 0, 3), Assert.Single(flow.Samples));
    }

    [Fact]
    public void a_rate_is_what_was_added_in_the_time_between()
    {
        var history = new FlowHistory();
        history.Add(Start, 100, 50, 0, 3);
        history.Add(Start.AddSeconds(10), 1_100, 150, 1, 4);
        history.Add(Start.AddSeconds(20), 1_100, 350, 2, 0);
        var flow = history.Read();
        Assert.Equal((50, 15), (flow.PublishedPerSecond, flow.StoredPerSecond));
        Assert.Equal([null, 100, 0], flow.Samples.Select(s => s.PublishedPerSecond));
        Assert.Equal([null, 10, 20], flow.Samples.Select(s => s.StoredPerSecond));
    }

    [Fact]
    public void the_present_rate_is_of_the_last_minute()
    {
        var history = new FlowHistory();
        history.Add(Start, 0, 0, 0, 0);
        history.Add(Start.AddMinutes(10), 6_000_000, 0, 0, 0);
        history.Add(Start.AddMinutes(10).AddSeconds(30), 6_000_030, 0, 0, 0);
        Assert.Equal(1, history.Read().PublishedPerSecond);
    }

    [Fact]
    public void a_count_that_is_unknown_or_went_back_gives_no_rate()
    {
        var history = new FlowHistory();
        history.Add(Start, 100, 100, 0, 0);
        history.Add(Start.AddSeconds(5), null, 7, 0, 0);
        history.Add(Start.AddSeconds(10), 200, 17, 0, 0);
        Assert.Equal([null, null, null], history.Read().Samples.Select(s => s.PublishedPerSecond));
        Assert.Equal([null, null, 2], history.Read().Samples.Select(s => s.StoredPerSecond));
    }

    [Fact]
    public void however_often_it_is_asked_an_hour_holds_a_bounded_number_of_samples()
    {
        var history = new FlowHistory();
        for (var i = 0; i < 50_000; i++) history.Add(Start.AddMilliseconds(200 * i), i, i, 0, 0);
        var samples = history.Read().Samples;
        Assert.InRange(samples.Length, 600, 950);
        var neighbours = samples.Zip(samples.Skip(1)).SkipLast(1);
        Assert.All(neighbours, pair => Assert.True(pair.Second.At - pair.First.At >= TimeSpan.FromSeconds(3.75)));
        Assert.All(samples, s => Assert.True(samples[^1].At - s.At <= TimeSpan.FromHours(1)));
        Assert.All(samples.Skip(1), s => Assert.Equal(5, s.PublishedPerSecond!.Value, 6));
    }

    [Fact]
    public void it_says_who_samples()
    {
        var history = new FlowHistory();
        Assert.Equal("requests", history.Read().SeenBy);
        history.IsSampled = true;
        Assert.Equal("process", history.Read().SeenBy);
    }
}
