using OrdersStream.Configuration;
using OrdersStream.Durable;
using OrdersStream.Hosting;
using OrdersStream.Status;

namespace OrdersStream.UnitTests.Hosting;

public sealed class LoadProgressTests
{
    /// <summary>It came out when the process was told to stop, hours later. Here it is no exception of the driver's.</summary>
    [Fact]
    public async Task whatever_keeps_the_server_from_telling_how_many_rows_there_are_ends_no_half()
    {
        var options = new PipelineOptions
        {
            Postgres = new() { Host = "127.0.0.1", Port = 1, Db = "food", User = "u", Table = "orders", Sslmode = "there is none" },
            Kafka = new() { Brokers = "127.0.0.1:1", Topic = "orders" },
        };
        await using var stream = new PipelineStream(
            options, new ProcessContext(TimeProvider.System, CrashPoints.None, _ => new TestLog(), new ProcessStatus("test", default, [])));

        Assert.Null(await new LoadProgress(stream).ExpectedAsync(TestContext.Current.CancellationToken));
        await Assert.ThrowsAnyAsync<Exception>(() => new LoadProgress(stream).ExpectedAsync(new CancellationToken(canceled: true)));
    }
}
