using OrdersStream.Configuration;
using OrdersStream.Durable;
using OrdersStream.Hosting;
using OrdersStream.Hosting.Functions;
using OrdersStream.Status;

namespace OrdersStream.UnitTests.Hosting.Functions;

public sealed class FunctionsTopicTests
{
    [Fact]
    public async Task a_worker_starts_where_no_broker_answers()
    {
        // Nothing listens on port 1.
        var options = new PipelineOptions { Kafka = new() { Brokers = "127.0.0.1:1", Topic = "t" } };
        await using var stream = new PipelineStream(
            options, new ProcessContext(TimeProvider.System, CrashPoints.None, _ => new TestLog(), new ProcessStatus("test", default, [])));
        var prepared = new FunctionsTopic(stream).PrepareAsync();
        Assert.False(await prepared.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken));
    }
}
