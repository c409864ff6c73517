using System.Diagnostics.Metrics;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Status;

namespace OrdersStream.UnitTests.Status;

/// <summary>A folder on a mount that hangs keeps nobody from saying so.</summary>
public sealed class FolderReadingTests
{
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(50), Long = TimeSpan.FromSeconds(30);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task a_folder_that_does_not_answer_is_named_and_one_look_at_it_is_left_behind()
    {
        using var released = new ManualResetEventSlim();
        var (looks, begun) = (new FolderReading(), 0);
        for (var asked = 0; asked < 3; asked++)
        {
            var silent = await Assert.ThrowsAsync<SilentFolderException>(() => looks.ReadAsync("/lake", LookAsync, Short, Token));
            Assert.Equal("The folder '/lake' did not answer within 0.1 s.", silent.Problem);
        }
        Assert.Equal(1, begun);
        Assert.Equal(7, await looks.ReadAsync("/state", () => Task.FromResult(7), Long, Token));

        // It is asked for by each since then.
        released.Set();
        Assert.InRange(await looks.ReadAsync("/lake", LookAsync, Long, Token), 1, 2);
        released.Reset();
        Assert.InRange(await looks.ReadAsync("/lake", LookAsync, Short, Token), 1, 2); // what was seen just now stands for it
        released.Set();

        Task<int> LookAsync()
        {
            var number = Interlocked.Increment(ref begun);
            released.Wait(Token);
            return Task.FromResult(number);
        }
    }

    [Fact]
    public async Task a_look_that_fails_fails_for_who_asked()
    {
        var looks = new FolderReading();
        await Assert.ThrowsAsync<IOException>(() => looks.ReadAsync<int>("/lake", () => throw new IOException(), Long, Token));
        Assert.Equal(7, await looks.ReadAsync("/lake", () => Task.FromResult(7), Long, Token));
    }

    [Fact]
    public void gauges_of_a_status_that_is_not_read_any_more_say_that_it_cannot_be_told()
    {
        var time = new TestTime();
        using var metrics = new PipelineMetrics(new PipelineOptions());
        var gauges = new StatusGauges(metrics, time);
        Assert.Empty(Measured(metrics));
        gauges.Record(Well());
        Assert.Equal(0, Measured(metrics)["orders_stream.health"]);
        Assert.Contains("orders_stream.up postgres", Measured(metrics));
        time.Advance(TimeSpan.FromSeconds(31));
        Assert.Equal([KeyValuePair.Create("orders_stream.health", 2.0)], Measured(metrics));
        gauges.Record(Well());
        Assert.Equal(0, Measured(metrics)["orders_stream.health"]);
    }

    /// <summary>A server that lets nobody in answers, and tells nothing.</summary>
    [Theory, InlineData("15.1", 1), InlineData(null, 0)]
    public void a_server_is_up_where_it_could_be_read(string? version, int up)
    {
        using var metrics = new PipelineMetrics(new PipelineOptions());
        new StatusGauges(metrics, new TestTime()).Record(
            Well() with { Source = new SourceStatus("t", "a", Reachable: true, version), Topic = new TopicStatus("orders", "b", true) });
        Assert.Equal(up, Measured(metrics)["orders_stream.up postgres"]);
        Assert.Equal(1, Measured(metrics)["orders_stream.up kafka"]);
    }

    [Fact]
    public void where_no_status_was_ever_read_it_cannot_be_told_either()
    {
        var time = new TestTime();
        using var metrics = new PipelineMetrics(new PipelineOptions());
        _ = new StatusGauges(metrics, time);
        time.Advance(TimeSpan.FromSeconds(31));
        Assert.Equal([KeyValuePair.Create("orders_stream.health", 2.0)], Measured(metrics));
    }

    private static PipelineStatus Well() => new()
    {
        At = default,
        Process = new ProcessStatus("test", default, []),
        Source = new SourceStatus("t", "a", true),
        Topic = new TopicStatus("orders", "b", true),
        Lake = new LakeStatus("p", true),
        Flow = new FlowStatus("process", null, null, null, []),
    };

    private static Dictionary<string, double> Measured(PipelineMetrics metrics)
    {
        var measured = new Dictionary<string, double>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, l) =>
            {
                if (instrument.Meter == metrics.Meter) l.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) =>
        {
            var part = tags.ToArray().FirstOrDefault(t => t.Key == "part").Value;
            measured[part is null ? instrument.Name : $"{instrument.Name} {part}"] = value;
        });
        listener.SetMeasurementEventCallback<long>((instrument, value, _, _) => measured[instrument.Name] = value);
        listener.SetMeasurementEventCallback<double>((instrument, value, _, _) => measured[instrument.Name] = value);
        listener.Start();
        listener.RecordObservableInstruments();
        return measured;
    }
}
