using OrdersStream.Capture;
using OrdersStream.Configuration;
using OrdersStream.Durable;
using OrdersStream.Hosting;
using OrdersStream.Hosting.Functions;
using OrdersStream.Status;
using OrdersStream.Store;

namespace OrdersStream.UnitTests.Hosting.Functions;

public sealed class StreamFunctionsTests : IDisposable
{
    private readonly TestLog log = new();
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    /// <summary>Nobody triggers it, so nobody runs it, whatever else this worker does.</summary>
    [Fact]
    public async Task a_half_that_is_switched_off_is_not_seen_to_run()
    {
        var options = new PipelineOptions
        {
            Postgres = new() { Host = "127.0.0.1", Port = 1, Db = "food", User = "u", Table = "orders" },
            Kafka = new() { Brokers = "127.0.0.1:1", Topic = "orders" },
            Datalake = new() { Path = folder["lake"] },
            Streaming = new() { CheckpointLocation = folder["checkpoint"], LastProcessedTimestampLocation = folder["lastprocess"] },
        };
        await using var stream = new PipelineStream(options, new ProcessContext(
            TimeProvider.System, CrashPoints.None, _ => log, new ProcessStatus("test", TimeProvider.System.GetUtcNow(), [])));
        var watchdog = new Watchdog(
            options, new Dictionary<string, string> { ["AzureWebJobs.KafkaToLake.Disabled"] = "1" }, TimeProvider.System);

        using var functions = new StreamFunctions(stream, watchdog, new BatchLimit(64, 1, 1));

        Assert.Single(new HeartbeatFolder(options, nameof(PostgresToKafka)).Read());
        Assert.Empty(new HeartbeatFolder(options, nameof(KafkaToLake)).Read());
    }
}
