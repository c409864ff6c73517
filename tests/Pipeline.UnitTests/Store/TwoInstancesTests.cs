using CsCheck;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Kafka;

namespace OrdersStream.UnitTests.Store;

/// <summary>Invariant 3 with two instances on one partition.</summary>
public sealed class TwoInstancesTests
{
    // Paused writers hold threads of the pool; on a small machine it would wait before it adds more.
    static TwoInstancesTests() => ThreadPool.SetMinThreads(32, 32);

    [Fact]
    public async Task every_record_is_stored_once_wherever_two_instances_stop_and_go()
    {
        bool firstPaused, secondPaused;
        var at = 0;
        do
        {
            firstPaused = false;
            var then = 0;
            do
            {
                using var lake = NewLake();
                (var paused, secondPaused) = await InterleaveAsync(lake, at, then++);
                firstPaused |= paused;
                await lake.AssertStoredOnceAsync();
                Assert.DoesNotContain(lake.Files(), f => f.EndsWith(".tmp", StringComparison.Ordinal));
                Assert.Empty(lake.Gaps);
            }
            while (secondPaused);
            at++;
        }
        while (firstPaused);
        Assert.True(at > 8, $"only {at} places to pause were met");
    }

    [Fact]
    public async Task an_instance_that_lost_a_partition_stores_what_the_other_did_not()
    {
        using var lake = NewLake();
        using var first = lake.NewInstance();
        await first.StoreAsync([lake.Topic[0][0]], CancellationToken.None);
        using var second = lake.NewInstance();
        await second.StoreAsync([.. lake.Topic[0].Take(2)], CancellationToken.None);

        var result = await first.StoreAsync([.. lake.Topic[0].Skip(1)], CancellationToken.None);
        await lake.AssertStoredOnceAsync();
        Assert.Equal((0, 1, 1), (result.Rows, result.Quarantined, result.AlreadyStored));
    }

    [Fact]
    public async Task a_batch_that_both_began_goes_to_one_of_them_and_the_other_hears_where_to_go_on()
    {
        using var lake = NewLake();
        using var first = lake.NewInstance();
        using var second = lake.NewInstance();
        var (mine, theirs) = (await first.OpenBatchAsync(CancellationToken.None), await second.OpenBatchAsync(CancellationToken.None));
        foreach (var record in lake.Topic[0].Take(2)) await mine.AddAsync(record, CancellationToken.None);
        foreach (var record in lake.Topic[0]) await theirs.AddAsync(record, CancellationToken.None);

        Assert.Empty((await mine.CommitAsync(CancellationToken.None)).Superseded);
        var outcome = await theirs.CommitAsync(CancellationToken.None);
        Assert.Equal([KeyValuePair.Create(0, 2L)], outcome.Superseded);
        Assert.Equal(0, outcome.Result.Rows);
        Assert.Equal(2, await theirs.NextOffsetAsync(0, CancellationToken.None));

        await theirs.AddAsync(lake.Topic[0][2], CancellationToken.None);
        await theirs.CommitAsync(CancellationToken.None);
        await lake.AssertStoredOnceAsync();
    }

    /// <summary>The log was put back under the first, and the second has given the number that is gone to another batch.</summary>
    [Fact]
    public async Task an_entry_of_another_in_the_place_of_ones_own_is_no_entry_to_go_on_behind()
    {
        using var lake = new TestLake();
        lake.Topic.Page(0, 5);
        using var first = lake.NewInstance();
        await first.StoreAsync([lake.Topic[0][0]], CancellationToken.None);
        await first.StoreAsync([.. lake.Topic[0].Skip(1).Take(2)], CancellationToken.None);
        File.Delete(Directory.GetFiles(lake.PartitionLog(0), "*2.json").Single());
        foreach (var file in lake.Files().Where(f => f.Contains("-1-2", StringComparison.Ordinal)))
            File.Delete(Path.Combine(lake.Root, file));
        using var second = lake.NewInstance();
        await second.StoreAsync([lake.Topic[0][1]], CancellationToken.None);

        var refused = await Assert.ThrowsAsync<PipelineException>(
            () => first.StoreAsync([.. lake.Topic[0].Skip(3)], CancellationToken.None));
        Assert.Equal(FailureAction.Retry, refused.Action);
        await first.StoreAsync([.. lake.Topic[0].Skip(3)], CancellationToken.None);
        await lake.AssertStoredOnceAsync();
    }

    [Fact]
    public async Task two_that_run_at_once_store_every_record_once() => await Gen.Int[1, 7].Array[4, 12].SampleAsync(async sizes =>
    {
        using var lake = new TestLake();
        foreach (var size in sizes) lake.Topic.Page(0, size);
        await Task.WhenAll(Enumerable.Range(0, 2).Select(i => Task.Run(async () =>
        {
            using var instance = lake.NewInstance();
            foreach (var chunk in lake.Topic.All.Chunk(sizes[i] + 1)) await instance.StoreAsync(chunk, CancellationToken.None);
        })));
        await lake.AssertStoredOnceAsync();
    }, iter: 15);

    private static TestLake NewLake()
    {
        var lake = new TestLake();
        lake.Topic.Page(0, 3, value: i => i == 2 ? "no row" : TestTopic.Row(i));
        return lake;
    }

    // The first pauses; the second runs until it pauses or ends; the first ends; the second ends.
    private static async Task<(bool FirstPaused, bool SecondPaused)> InterleaveAsync(TestLake lake, int firstAt, int secondAt)
    {
        using Pause first = new(firstAt), second = new(secondAt);
        // Batches cut elsewhere: equal ones would have equal file names, and hide a fence that does not hold.
        var one = StoreAsync(lake, first, [.. lake.Topic[0].Take(2)], [.. lake.Topic[0].Skip(2)]);
        await Task.WhenAny(one, first.Reached);
        var two = StoreAsync(lake, second, [lake.Topic[0][0]], [.. lake.Topic[0]]);
        await Task.WhenAny(two, second.Reached);
        var paused = (first.Reached.IsCompleted, second.Reached.IsCompleted);
        first.GoOn();
        await one.WaitAsync(TimeSpan.FromSeconds(60));
        second.GoOn();
        await two.WaitAsync(TimeSpan.FromSeconds(60));
        return paused;
    }

    private static Task StoreAsync(TestLake lake, Pause pause, params StreamRecord[][] batches) => Task.Run(async () =>
    {
        using var instance = lake.NewInstance(pause.OnReached);
        foreach (var batch in batches) await instance.StoreAsync(batch, CancellationToken.None);
    });

    private sealed class Pause(int at) : IDisposable
    {
        private readonly TaskCompletionSource reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly ManualResetEventSlim goOn = new();
        private int count;

        public Task Reached => reached.Task;

        public void OnReached(CrashPoint point)
        {
            if (Interlocked.Increment(ref count) - 1 != at) return;
            reached.SetResult();
            goOn.Wait();
        }

        public void GoOn() => goOn.Set();

        public void Dispose() => goOn.Dispose();
    }
}
