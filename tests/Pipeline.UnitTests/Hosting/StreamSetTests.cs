using System.Diagnostics.Metrics;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Hosting;
using OrdersStream.Status;

namespace OrdersStream.UnitTests.Hosting;

public sealed class StreamSetTests : IDisposable
{
    private readonly TestLog log = new();
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task of_several_streams_every_line_series_and_failure_says_whose_it_is()
    {
        await using var streams = new StreamSet([Options("orders"), Options("payments")], Process());
        foreach (var stream in streams.All)
        {
            var series = SeriesOf(stream, () =>
            {
                using var half = stream.Begin("KafkaToLake");
                stream.NewOutage(half).Failed(new TimeoutException());
                stream.Metrics.PagePublished(1, 1, TimeSpan.Zero);
                stream.Metrics.PageRead(1, TimeSpan.Zero);
                stream.Metrics.Polled(FailureAction.Retry, TimeSpan.Zero);
                stream.Metrics.Stored(1, 0, 0, 1, 1, TimeSpan.Zero);
                stream.Gauges.Record(Sample(stream.Name));
            });
            Assert.InRange(series.Count, 15, 100);
            Assert.All(series, tags => Assert.Contains(KeyValuePair.Create("orders_stream.stream", (object?)stream.Name), tags));
            Assert.Equal(stream.Name, Assert.Single(stream.Failures.Recent).Stream);
        }
        Assert.Equal(["[orders]", "[payments]"], log.Lines.Select(l => l.Text.Split(' ')[0]));
    }

    [Fact]
    public async Task one_alone_needs_no_name_in_its_lines_and_series()
    {
        await using var streams = new StreamSet([Options("orders")], Process());
        var stream = Assert.Single(streams.All);
        using var half = stream.Begin("KafkaToLake");
        var series = SeriesOf(stream, () => stream.NewOutage(half).Failed(new TimeoutException()));
        Assert.DoesNotContain(Assert.Single(series), tag => tag.Key == "orders_stream.stream");
        Assert.StartsWith("KafkaToLake: ", Assert.Single(log.Lines).Text);
        Assert.Equal("orders", Assert.Single(stream.Failures.Recent).Stream);
    }

    [Fact]
    public void two_streams_share_no_topic_and_a_process_has_one_at_least()
    {
        var shared = Assert.Throws<ArgumentException>(() => new StreamSet([Options("orders"), Options("orders")], Process()));
        Assert.Contains("orders", shared.Message);
        Assert.Throws<ArgumentException>(() => new StreamSet([], Process()));
    }

    private PipelineOptions Options(string topic) => new()
    {
        Postgres = new() { Host = "127.0.0.1", Port = 1, Db = "food", User = "u", Table = topic },
        Kafka = new() { Brokers = "127.0.0.1:1", Topic = topic },
        Datalake = new() { Path = folder["lake"] },
        Streaming = new() { CheckpointLocation = folder["checkpoint"], LastProcessedTimestampLocation = folder["lastprocess"] },
    };

    private ProcessContext Process() => new(TimeProvider.System, CrashPoints.None, _ => log, new ProcessStatus("test", default, []));

    private static PipelineStatus Sample(string stream) => new()
    {
        At = default,
        Stream = stream,
        Process = new ProcessStatus("test", default, []),
        Source = new SourceStatus("t", "a", true),
        Topic = new TopicStatus(stream, "b", true),
        Lake = new LakeStatus("p", true),
        Halves = [new HalfStatus("KafkaToLake", HalfState.Running, Health.Well, "runs", null, 1)],
        Partitions = [new PartitionStatus(0, 0, 5, 2, 3, 2, 0, 1, null)],
        Flow = new FlowStatus("process", null, null, null, []),
    };

    /// <summary>The tags of everything that is measured of a stream.</summary>
    private static List<KeyValuePair<string, object?>[]> SeriesOf(PipelineStream stream, Action act)
    {
        var series = new List<KeyValuePair<string, object?>[]>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, l) =>
            {
                if (instrument.Meter == stream.Metrics.Meter) l.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<int>((_, _, tags, _) => series.Add(tags.ToArray()));
        listener.SetMeasurementEventCallback<long>((_, _, tags, _) => series.Add(tags.ToArray()));
        listener.SetMeasurementEventCallback<double>((_, _, tags, _) => series.Add(tags.ToArray()));
        listener.Start();
        act();
        listener.RecordObservableInstruments();
        return series;
    }
}
