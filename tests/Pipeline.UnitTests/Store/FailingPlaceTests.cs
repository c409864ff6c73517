using OrdersStream.Durable;

namespace OrdersStream.UnitTests.Store;

/// <summary>The place where the lake lies fails at one operation after the other: at each there is.</summary>
public sealed class FailingPlaceTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task a_failure_of_any_one_operation_loses_nothing_and_stores_nothing_twice(bool isDone)
    {
        var failed = true;
        var failures = 0;
        for (var at = 0; failed; at++)
        {
            using var lake = new TestLake();
            lake.Topic.Page(0, 3, value: i => i == 1 ? "no row" : TestTopic.Row(i, $"2026-03-0{i + 1}"));
            lake.Topic.Page(1, 2);
            failed = await FailAsync(lake, at, isDone);
            failures += failed ? 1 : 0;
            Assert.Distinct(await lake.StoredAsync());

            // The same process goes on with a place that is mended, as a retry does, and then a new one.
            await lake.StoreAsync(lake.Topic.All);
            lake.Topic.Page(0, 1);
            await lake.StoreAsync(lake.Topic.All);
            await lake.AssertStoredOnceAsync();
        }
        Assert.InRange(failures, 20, 1_000);
    }

    /// <returns>False: there is no such operation.</returns>
    private static async Task<bool> FailAsync(TestLake lake, int at, bool isDone)
    {
        var count = 0;
        var struck = false;
        using var instance = lake.NewInstance(CrashPoints.None, behind =>
        {
            if (behind != isDone || Interlocked.Increment(ref count) != at + 1) return;
            struck = true;
            throw new IOException(isDone ? "the answer was lost" : "the place refuses");
        });
        try
        {
            await instance.StoreAsync(lake.Topic.All, CancellationToken.None);
        }
        catch (IOException)
        {
            // It is delivered again. What is tidied up, or read once more, may fail without a word.
        }
        return struck;
    }
}
