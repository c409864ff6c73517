using CsCheck;
using OrdersStream.Diagnostics;
using OrdersStream.Lake;

namespace OrdersStream.UnitTests.Store;

/// <summary>Batches that do not begin where the log ends.</summary>
public sealed class OffsetGapTests : IDisposable
{
    private readonly TestLake lake = new();
    private TestTopic Topic => lake.Topic;

    public void Dispose() => lake.Dispose();

    [Fact]
    public async Task the_marker_behind_a_page_is_no_gap()
    {
        await lake.StoreAsync(Topic.Page(0, 2));
        await lake.StoreAsync(Topic.Page(0, 2));
        Assert.Equal(3, Topic[0][2].Offset);
        await lake.AssertStoredOnceAsync();
        Assert.Empty(lake.Gaps);
    }

    [Fact]
    public async Task one_missing_record_that_is_no_marker_is_read_from_kafka()
    {
        Topic.Page(0, 5);
        await lake.StoreAsync([.. Topic[0].Take(2)]);
        await lake.StoreAsync([.. Topic[0].Skip(3)]);
        await lake.AssertStoredOnceAsync();
        Assert.Contains((0, 2L, 3L), Topic.Read);
        Assert.Single(lake.Gaps);
    }

    /// <summary>Another producer's records stand between a page and its marker: what is left out there is no marker.</summary>
    [Fact]
    public async Task one_foreign_record_that_is_missing_behind_a_page_is_not_taken_for_the_pages_marker()
    {
        Topic.Page(0, 2, markerFollows: false);
        Topic.Produce(0, TestTopic.Row(7));
        Topic.Produce(0, TestTopic.Row(8), markerFollows: true);
        await lake.StoreAsync([Topic[0][0], Topic[0][1], Topic[0][3]]);
        await lake.AssertStoredOnceAsync();

        Topic.Page(0, 2, markerFollows: false);
        Topic.Produce(0, "no row");
        Topic.Produce(0, "nor this", key: null, markerFollows: true);
        await lake.StoreAsync([Topic[0][4], Topic[0][5]]);
        await lake.StoreAsync([Topic[0][7]]);
        await lake.AssertStoredOnceAsync();
    }

    [Fact]
    public async Task what_lies_before_the_first_batch_of_all_is_read_from_kafka()
    {
        Topic.Page(0, 5);
        Topic.Page(0, 5);
        await lake.StoreAsync([.. Topic[0].Skip(7)]);
        await lake.AssertStoredOnceAsync();
    }

    [Fact]
    public async Task a_gap_larger_than_a_batch_is_stored_in_commits_of_its_own()
    {
        lake.Datalake = lake.Datalake with { BatchRows = 10 };
        Topic.Page(0, 45);
        Topic.Page(1, 3);
        var result = await lake.StoreAsync([.. Topic[1].Take(2), Topic[0][^1], Topic[1][^1]]);
        await lake.AssertStoredOnceAsync();
        Assert.Equal(48, result.Rows);
        Assert.InRange(Directory.GetFiles(lake.PartitionLog(0), "*.json").Length, 4, 5);
    }

    [Fact]
    public async Task offsets_that_no_record_has_are_looked_for_once_and_passed()
    {
        await lake.StoreAsync(Topic.Page(0, 2));
        Topic.Skip(0, 7);
        await lake.StoreAsync(Topic.Page(0, 2));
        await lake.AssertStoredOnceAsync();
        Assert.Contains((0, 2L, 10L), Topic.Read);
        Assert.Single(lake.Gaps);
    }

    [Fact]
    public async Task what_another_instance_stored_meanwhile_is_no_gap()
    {
        using var first = lake.NewInstance();
        await first.StoreAsync(Topic.Page(0, 2), CancellationToken.None);
        await lake.StoreAsync(Topic.Page(0, 5));
        await first.StoreAsync(Topic.Page(0, 2), CancellationToken.None);
        await lake.AssertStoredOnceAsync();
        Assert.Empty(lake.Gaps);
    }

    [Fact]
    public async Task records_that_retention_removed_before_they_were_stored_stop_it_until_a_human_accepts()
    {
        await lake.StoreAsync(Topic.Page(0, 2));
        Topic.Page(0, 100);
        Topic.Remove(0, below: 50);

        var e = await Assert.ThrowsAsync<PipelineException>(() => lake.StoreAsync([Topic[0][^1]]));
        Assert.Equal(FailureAction.Stop, e.Action);
        Assert.Contains("no longer has 47 offsets", e.Problem);
        await Assert.ThrowsAsync<PipelineException>(() => lake.NextOffsetAsync(0));

        var accept = Path.Combine(lake.PartitionLog(0), "accept-loss-from-3");
        Assert.Contains(accept, e.Remedy);
        File.WriteAllBytes(accept, []);
        using var instance = lake.NewInstance();
        Assert.Equal(50, await lake.NextOffsetAsync(0));
        await instance.StoreAsync([Topic[0][^1]], CancellationToken.None);
        Assert.Equal([0L, 1, .. Enumerable.Range(50, 53).Select(o => (long)o)], (await lake.StoredAsync()).Select(s => s.Offset));

        Topic.Page(0, 100);
        Topic.Remove(0, below: 150);
        await Assert.ThrowsAsync<PipelineException>(() => lake.StoreAsync([Topic[0][^1]]));
    }

    /// <summary>Else it would wait for ever, and the lake be behind a topic of which it has all that can be had.</summary>
    [Fact]
    public async Task an_accepted_loss_is_passed_over_at_once_also_where_nothing_comes_behind_it()
    {
        await lake.StoreAsync(Topic.Page(0, 2));
        Topic.Page(0, 100);
        Topic.Remove(0, below: 104);
        await Assert.ThrowsAsync<PipelineException>(() => lake.NextOffsetAsync(0));
        var accept = Path.Combine(lake.PartitionLog(0), "accept-loss-from-3");
        File.WriteAllBytes(accept, []);
        Assert.Equal(104, await lake.NextOffsetAsync(0));

        File.Delete(accept);
        Assert.Equal(104, await lake.NextOffsetAsync(0));
        Topic.Page(0, 2);
        await lake.StoreAsync(Topic[0]);
        Assert.Equal([0L, 1, 104, 105], (await lake.StoredAsync()).Select(s => s.Offset));
    }

    /// <summary>As the marker of another producer's transaction: retention takes it like all else, and nothing is lost by that.</summary>
    [Fact]
    public async Task what_lies_before_a_partitions_end_and_is_no_record_is_passed_over()
    {
        Topic.Page(0, 2);
        Topic.Skip(0, 4);
        using var instance = lake.NewInstance();
        var batch = await instance.OpenBatchAsync(CancellationToken.None, readsInOrder: true);
        // Before a record of it came, the end may be told of where the reading stood before.
        Assert.Equal(0, await batch.NextOffsetAsync(0, CancellationToken.None));
        batch.EndReached(0, 9);
        foreach (var record in Topic[0]) await batch.AddAsync(record, CancellationToken.None);
        batch.EndReached(0, 7);
        await batch.CommitAsync(CancellationToken.None);
        Assert.Equal(7, await lake.NextOffsetAsync(0));
        await lake.AssertStoredOnceAsync();
    }

    [Fact]
    public async Task a_new_lake_on_an_old_topic_begins_where_kafka_does()
    {
        Topic.Page(0, 10);
        Topic.Page(0, 10);
        Topic.Remove(0, below: 11);
        using var instance = lake.NewInstance();
        Assert.Equal(11, await lake.NextOffsetAsync(0));
        await instance.StoreAsync([.. Topic[0].Skip(3)], CancellationToken.None);
        await lake.AssertStoredOnceAsync();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task a_partition_without_commits_in_a_lake_that_knew_it_or_that_it_came_to_is_not_new(int partition)
    {
        lake.PresentSchema = _ => Task.FromResult(TestTopic.Orders);
        if (partition == 0) Topic.Skip(0, 0);
        await lake.StoreAsync([]);
        Topic.Page(partition, 10);
        Topic.Remove(partition, below: 4);
        var e = await Assert.ThrowsAsync<PipelineException>(() => lake.StoreAsync(Topic.All));
        Assert.Contains("no longer has 4 offsets", e.Problem);
        var accept = e.Remedy.Split('\'')[1];
        Directory.CreateDirectory(Path.GetDirectoryName(accept)!);
        File.WriteAllBytes(accept, []);
        await lake.StoreAsync(Topic.All);
        Assert.Equal([4L, 5, 6, 7, 8, 9], (await lake.StoredAsync()).Select(s => s.Offset));
    }

    [Fact]
    public async Task a_partition_that_began_later_when_the_lake_did_begins_there()
    {
        Topic.Page(0, 10);
        Topic.Remove(0, below: 4);
        await lake.StoreAsync([]);
        Topic.Remove(0, below: 6);
        var e = await Assert.ThrowsAsync<PipelineException>(() => lake.StoreAsync(Topic.All));
        Assert.Contains("no longer has 2 offsets", e.Problem);
    }

    [Fact]
    public async Task a_lake_of_an_earlier_version_does_not_say_where_it_begins()
    {
        lake.PresentSchema = _ => Task.FromResult(TestTopic.Orders);
        Directory.CreateDirectory(lake.Root);
        File.WriteAllBytes(lake.OwnerFile, OwnerFile.Write(Topic.Identity, "lake"));
        Topic.Page(0, 10);
        Topic.Remove(0, below: 4);
        await lake.StoreAsync(Topic.All);
        await lake.AssertStoredOnceAsync();
    }

    [Fact]
    public async Task a_marker_that_retention_removed_is_no_loss()
    {
        await lake.StoreAsync(Topic.Page(0, 2));
        Topic.Page(0, 2);
        Topic.Remove(0, below: 3);
        Assert.Equal(3, await lake.NextOffsetAsync(0));
    }

    [Fact]
    public async Task a_topic_that_ends_below_what_is_stored_is_another_topic()
    {
        Topic.Identity = Topic.Identity with { TopicId = null };
        await lake.StoreAsync(Topic.Page(0, 20));
        using var again = new TestLake();
        again.Topic.Page(0, 5);
        TestLake.CopyFolder(lake.Checkpoint, again.Checkpoint);
        TestLake.CopyFolder(lake.Root, again.Root);
        again.Topic.Identity = Topic.Identity;
        var e = await Assert.ThrowsAsync<PipelineException>(() => again.StoreAsync(again.Topic.All));
        Assert.Equal(FailureAction.Stop, e.Action);
        Assert.Contains("ends at offset 6, but the lake has all below 20", e.Problem);
    }

    [Fact]
    public async Task records_out_of_order_are_stored_once_each()
    {
        Topic.Page(0, 6);
        await lake.StoreAsync([Topic[0][3], Topic[0][1], Topic[0][4], Topic[0][3], Topic[0][5], Topic[0][0]]);
        await lake.AssertStoredOnceAsync();
    }

    [Fact]
    public async Task any_delivery_of_any_slices_with_crashes_stores_each_record_once() =>
        await Gen.Select(Gen.Int[1, 5].Array[1, 6], Gen.Select(Gen.Int[0, 20], Gen.Int[1, 20], Gen.Int[0, 24]).Array[1, 8], Gen.Int[1, 12])
            .SampleAsync(async (pages, deliveries, batchRows) =>
            {
                using var fresh = new TestLake { Datalake = new() { BatchRows = batchRows } };
                for (var i = 0; i < pages.Length; i++)
                {
                    fresh.Topic.Page(i % 2, pages[i]);
                    if (i == 2) fresh.Topic.Skip(0, 3);
                }
                var all = fresh.Topic.All;
                foreach (var (from, count, crashAt) in deliveries)
                {
                    var reached = 0;
                    try
                    {
                        using var instance = fresh.NewInstance(_ =>
                        {
                            if (Interlocked.Increment(ref reached) == crashAt) throw new CrashException();
                        });
                        await instance.StoreAsync([.. all.Skip(from).Take(count)], CancellationToken.None);
                    }
                    catch (CrashException)
                    {
                    }
                    Assert.Distinct(await fresh.StoredAsync());
                }
                await fresh.StoreAsync(all);
                await fresh.AssertStoredOnceAsync();
            }, iter: 60);
}
