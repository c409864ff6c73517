using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Site;
using OrdersStream.Status;

namespace OrdersStream.UnitTests.Site;

public sealed class StatusSamplerTests : IDisposable
{
    private readonly TempFolder folder = new();
    private readonly PipelineMetrics metrics = new(new PipelineOptions());
    private readonly MetricsExport export = new();

    public void Dispose()
    {
        export.Dispose();
        metrics.Dispose();
        folder.Dispose();
    }

    [Fact]
    public async Task what_a_process_saw_the_next_one_shows()
    {
        var options = new PipelineOptions { Kafka = new() { Topic = "orders" }, Streaming = new() { CheckpointLocation = folder["c"] } };
        Directory.CreateDirectory(folder["c"]);
        var seen = await SampleAsync(new FlowHistoryFile(options), 7);
        Assert.Equal(7, Assert.Single(seen).Stored);
        seen = await SampleAsync(new FlowHistoryFile(options), 8);
        Assert.Equal(8, seen[^1].Stored);
        Assert.Contains(seen, r => r.Stored == 7);
    }

    /// <summary>Where nothing was ever stored, or the folder is another process's, nothing is made.</summary>
    [Fact]
    public async Task where_there_is_no_folder_of_state_none_is_made()
    {
        var options = new PipelineOptions { Kafka = new() { Topic = "orders" }, Streaming = new() { CheckpointLocation = folder["none"] } };
        Assert.Equal(7, Assert.Single(await SampleAsync(new FlowHistoryFile(options), 7)).Stored);
        Assert.False(Path.Exists(folder["none"]));
    }

    /// <returns>What its history holds at its end, which is what was kept.</returns>
    private async Task<IReadOnlyList<FlowReading>> SampleAsync(FlowHistoryFile file, long stored)
    {
        var history = new FlowHistory();
        var sampled = new TaskCompletionSource();
        // Minutes apart, so that each is a reading of its own.
        var time = new StandingTime(TimeProvider.System.GetUtcNow().AddMinutes(stored));
        using var site = new StatusSite(
            _ =>
            {
                history.Add(new(time.GetUtcNow(), stored, stored, 0, 0));
                sampled.TrySetResult();
                return Task.FromResult(Status(time.GetUtcNow()));
            },
            () => [], new StatusGauges(metrics, time), export, time, history);
        await using (new StatusSampler(site, history, time, file).Start()) await sampled.Task;
        return history.Minutes();
    }

    private static PipelineStatus Status(DateTimeOffset at) => new()
    {
        At = at,
        Process = new("LocalHost", at, []),
        Source = new("public.orders", "localhost:5432/db", Reachable: true),
        Topic = new("orders", "localhost:9092", Reachable: true),
        Lake = new("lake", Reachable: true, NewestFiles: [], QuarantineCauses: []),
        Flow = new("process", at, null, null, []),
    };

    /// <summary>Its timers never fire: whoever waits for something waits until it is there.</summary>
    private sealed class StandingTime(DateTimeOffset now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            System.CreateTimer(callback, state, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }
}
