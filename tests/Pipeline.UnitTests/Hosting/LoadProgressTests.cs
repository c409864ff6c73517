using OrdersStream.Configuration;
using OrdersStream.Durable;
using OrdersStream.Hosting;
using OrdersStream.Status;

namespace OrdersStream.UnitTests.Hosting;

public sealed class LoadProgressTests
{
    /// <summary>The driver says so in an exception of the system's, and it came out hours later, when the process was told to stop.</summary>
    [Fact]
    public async Task a_name_that_does_not_resolve_for_a_moment_ends_no_half()
    {
        var options = new PipelineOptions
        {
            Postgres = new() { Host = "nowhere.invalid", Db = "food", User = "u", Table = "orders" },
            Kafka = new() { Brokers = "127.0.0.1:1", Topic = "orders" },
        };
        await using var stream = new PipelineStream(
            options, new ProcessContext(TimeProvider.System, CrashPoints.None, _ => new TestLog(), new ProcessStatus("test", default, [])));

        Assert.Null(await new LoadProgress(stream).ExpectedAsync(TestContext.Current.CancellationToken));
        await Assert.ThrowsAnyAsync<Exception>(() => new LoadProgress(stream).ExpectedAsync(new CancellationToken(canceled: true)));
    }
}
