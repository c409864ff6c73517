using OrdersStream.Diagnostics;
using OrdersStream.Store;

namespace OrdersStream.UnitTests.Store;

/// <summary>What a consumer at the old end hears nothing of.</summary>
public sealed class EndWatchTests : IDisposable
{
    private readonly TestLake lake = new();
    private readonly TestTime time = new();

    public void Dispose() => lake.Dispose();

    /// <summary>Nothing comes once the transaction has ended: what it hid is as long as what was there.</summary>
    [Fact]
    public async Task an_end_that_another_transaction_hid_is_looked_at_when_it_can_be_seen()
    {
        lake.Topic.Framed(0, 1, [1, 2]);
        lake.Topic.Framed(0, 2, [3, 4], previous: 1);
        using var instance = lake.NewInstance();
        await instance.StoreAsync(lake.Topic.All, CancellationToken.None);
        var batch = await instance.OpenBatchAsync(CancellationToken.None);
        await batch.NextOffsetAsync(0, CancellationToken.None);
        var watch = new EndWatch(batch, "orders", time);
        lake.Topic.HiddenFrom[0] = 3;
        lake.Topic.LoseFrom(0, 3);
        lake.Topic.Framed(0, 3, [3, 4], previous: 1);

        await LookAsync(isDisturbed: true, 5);
        lake.Topic.HiddenFrom.Clear();

        var lost = await Assert.ThrowsAsync<PipelineException>(() => LookAsync(isDisturbed: false, 5));
        Assert.Contains("The brokers lost the end of topic 'orders', partition 0", lost.Problem, StringComparison.Ordinal);

        async Task LookAsync(bool isDisturbed, int looks)
        {
            for (var look = 0; look < looks; look++)
            {
                watch.Look(isDisturbed && look == 0, CancellationToken.None);
                time.Advance(EndWatch.HiddenPause);
                await watch.UnderWay;
            }
        }
    }
}
