using OrdersStream.Configuration;
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
        history.Add(new(Start, 100, 50, 0, 3));
        var flow = history.Read();
        Assert.Equal((Start, null, null), (flow.Since, flow.PublishedPerSecond, flow.StoredPerSecond));
        Assert.Equal(new FlowSample(Start, null, null, 0, 3), Assert.Single(flow.Samples));
    }

    [Fact]
    public void a_rate_is_what_was_added_in_the_time_between()
    {
        var history = new FlowHistory();
        history.Add(new(Start, 100, 50, 0, 3));
        history.Add(new(Start.AddSeconds(10), 1_100, 150, 1, 4));
        history.Add(new(Start.AddSeconds(20), 1_100, 350, 2, 0));
        var flow = history.Read();
        Assert.Equal((50, 15), (flow.PublishedPerSecond, flow.StoredPerSecond));
        Assert.Equal([null, 100, 0], flow.Samples.Select(s => s.PublishedPerSecond));
        Assert.Equal([null, 10, 20], flow.Samples.Select(s => s.StoredPerSecond));
    }

    [Fact]
    public void the_present_rate_is_of_the_last_minute()
    {
        var history = new FlowHistory();
        history.Add(new(Start, 0, 0, 0, 0));
        history.Add(new(Start.AddMinutes(10), 6_000_000, 0, 0, 0));
        history.Add(new(Start.AddMinutes(10).AddSeconds(30), 6_000_030, 0, 0, 0));
        Assert.Equal(1, history.Read().PublishedPerSecond);
    }

    [Fact]
    public void a_count_that_is_unknown_or_went_back_gives_no_rate()
    {
        var history = new FlowHistory();
        history.Add(new(Start, 100, 100, 0, 0));
        history.Add(new(Start.AddSeconds(5), null, 7, 0, 0));
        history.Add(new(Start.AddSeconds(10), 200, 17, 0, 0));
        Assert.Equal([null, null, null], history.Read().Samples.Select(s => s.PublishedPerSecond));
        Assert.Equal([null, null, 2], history.Read().Samples.Select(s => s.StoredPerSecond));
    }

    [Fact]
    public void however_often_it_is_asked_an_hour_holds_a_bounded_number_of_samples()
    {
        var history = new FlowHistory();
        for (var i = 0; i < 50_000; i++) history.Add(new(Start.AddMilliseconds(200 * i), i, i, 0, 0));
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

    [Fact]
    public void a_rate_is_none_when_nothing_was_added_lately_and_says_since_when()
    {
        var history = new FlowHistory(TimeSpan.FromSeconds(15));
        history.Add(new(Start, 0, 0, 0, 0));
        history.Add(new(Start.AddSeconds(5), 1_000, 0, 0, 0));
        history.Add(new(Start.AddSeconds(20), 1_000, 0, 0, 0));
        var flow = history.Read();
        Assert.Equal((50, 0, Start.AddSeconds(5)), (flow.PublishedPerSecond, flow.StoredPerSecond, flow.LastPublishedAt));
        history.Add(new(Start.AddSeconds(25), 1_000, 0, 0, 0));
        Assert.Equal((0, Start.AddSeconds(5)), (history.Read().PublishedPerSecond, history.Read().LastPublishedAt));
        Assert.Null(history.Read().LastStoredAt);
        history.Add(new(Start.AddSeconds(45), null, 0, 0, 0));
        Assert.Null(history.Read().PublishedPerSecond);
    }

    [Fact]
    public void of_the_day_before_the_last_hour_there_is_a_sample_a_minute_with_the_worst_of_it()
    {
        var history = new FlowHistory();
        for (var i = 0; i < 24 * 60 * 12 + 1_000; i++)
            history.Add(new(Start.AddSeconds(5 * i), i, i, i == 6 ? 99 : 1, 0, 2, i == 7 ? Health.Wrong : Health.Well));
        Assert.InRange(history.Minutes().Count, 1_439, 1_442);
        Assert.InRange(history.Read().Samples.Length, 719, 722);

        history = new FlowHistory();
        for (var i = 0; i < 2_000; i++)
            history.Add(new(Start.AddSeconds(5 * i), i, i, i == 6 ? 99 : 1, 0, 2, i == 7 ? Health.Wrong : Health.Well));
        var day = history.ReadDay().Samples;
        Assert.Equal((99, Health.Wrong), (day[0].CaptureLagSeconds, day[0].Health));
        Assert.Equal((1, Health.Well), (day[1].CaptureLagSeconds, day[1].Health));
        Assert.All(day.Skip(1), s => Assert.Equal(0.2, s.StoredPerSecond!.Value, 6));
    }

    [Fact]
    public void what_an_earlier_process_saw_comes_before_what_this_one_sees()
    {
        using var folder = new TempFolder();
        var options = new PipelineOptions { Kafka = new() { Topic = "orders" }, Streaming = new() { CheckpointLocation = folder["c"] } };
        var file = new FlowHistoryFile(options);
        Assert.Empty(file.Read());
        var before = new FlowHistory();
        for (var i = 0; i < 200; i++)
            before.Add(new(Start.AddMinutes(i), i, i == 3 ? null : i, i == 5 ? null : 1.5, i, 0.25, i == 8 ? Health.Unknown : Health.Well)
            {
                LatencySeconds = i == 9 ? null : 2.25,
            });
        file.Write(before.Minutes());
        Assert.Empty(file.Read());
        Directory.CreateDirectory(folder["c"]);
        file.Write(before.Minutes());
        Assert.Equal(before.Minutes(), file.Read());

        var now = Start.AddMinutes(220);
        var history = new FlowHistory();
        history.Add(new(now, 220, 220, 0, 0));
        history.Restore(file.Read(), now);
        Assert.Equal(201, history.Minutes().Count);
        var samples = history.Read().Samples;
        Assert.Equal(Start.AddMinutes(160), samples[0].At);
        Assert.Equal(1 / 60.0, samples[^1].PublishedPerSecond!.Value, 6);
        // Torn: the picture begins anew.
        var path = Assert.Single(Directory.GetFiles(Path.Combine(folder["c"], "history")));
        File.WriteAllText(path, File.ReadAllText(path).Replace("Unknown", "Wrong", StringComparison.Ordinal));
        Assert.Empty(file.Read());
    }
}
