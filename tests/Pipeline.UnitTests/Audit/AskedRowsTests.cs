using OrdersStream.Audit;
using OrdersStream.Capture;
using OrdersStream.Configuration;
using OrdersStream.Durable;
using OrdersStream.Postgres;

namespace OrdersStream.UnitTests.Audit;

/// <summary>Whether it was of any use to publish rows again can be told where that was done.</summary>
public sealed class AskedRowsTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void rows_of_a_request_that_was_set_aside_were_not_published()
    {
        var requests = new RepairRequests(
            new PipelineOptions { Streaming = new() { LastProcessedTimestampLocation = folder.Path } }, CrashPoints.None);
        var asked = new AskedRows();
        var (done, failed) = (Add(), Add());
        asked.Add(done, [(1, 10), (2, 20)]);
        asked.Add(failed, [(3, 30)]);
        asked.Add(done, [(4, 40)]);
        asked.AddUseless((5, 50));

        requests.Remove(done);
        Assert.True(requests.HasFailed(failed, isForGood: true));

        Assert.Equal([1, 2, 4, 5], asked.Published().Select(a => (int)a.Key).Order());
        Assert.Equal([3], asked.SetAside().Select(a => (int)a.Key));

        string Add() => requests.Add(new RepairRequest("the audit", new RowSelection(), ""), DateTimeOffset.UnixEpoch);
    }
}
