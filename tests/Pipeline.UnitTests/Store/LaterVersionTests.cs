using System.Text;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;
using OrdersStream.Rows;
using OrdersStream.Store;

namespace OrdersStream.UnitTests.Store;

/// <summary>A frame of a later version is met by whoever reads back in the topic, too: it is no defect, and the remedy is told.</summary>
public sealed class LaterVersionTests : IDisposable
{
    private readonly TestLake lake = new();
    private readonly StreamRecord later;

    public LaterVersionTests() => later = lake.Topic.Produce(
        0, TestTopic.Row(1), [new(StreamHeader.Page, Encoding.UTF8.GetBytes("""{"version":4,"stream":"orders"}"""))]);

    public void Dispose() => lake.Dispose();

    [Fact]
    public Task by_who_stores() => StopsAsync(() => lake.StoreAsync([later]));

    [Fact]
    public Task by_who_looks_for_the_log_that_the_lake_knows() =>
        StopsAsync(() => new LostEnd(lake.Topic.Access).RestAtAsync(0, 0, 1, 0, CancellationToken.None));

    [Fact]
    public Task by_who_looks_for_a_schema() =>
        StopsAsync(() => new SchemaFinder(lake.Topic.Access, new SchemaStore(lake.Checkpoint), null, lake.Time, lake.Log)
            .FindAsync(0, 1, hasPages: false, CancellationToken.None));

    private static async Task StopsAsync(Func<Task> read)
    {
        var e = await Assert.ThrowsAsync<PipelineException>(read);
        Assert.Equal(FailureAction.Stop, e.Action);
        Assert.Contains("The frame of the record at offset 0 of topic 'orders', partition 0, cannot", e.Problem, StringComparison.Ordinal);
        Assert.Contains("run that version", e.Remedy, StringComparison.Ordinal);
    }
}
