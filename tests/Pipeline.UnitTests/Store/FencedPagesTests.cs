using OrdersStream.Diagnostics;
using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.Rows;
using static OrdersStream.UnitTests.Store.FramedTopic;

namespace OrdersStream.UnitTests.Store;

/// <summary>Invariant 3 without transactions: what a publisher sends behind its successor's fence counts for nobody.</summary>
public sealed class FencedPagesTests : IDisposable
{
    private const long First = 1L << 32, Second = 2L << 32, Third = 3L << 32;

    private readonly TestLake lake = new();

    private TestTopic Topic => lake.Topic;

    public void Dispose() => lake.Dispose();

    [Fact]
    public async Task a_fence_is_no_row_and_no_stranger()
    {
        Topic.SendFence(First, "a");
        Topic.Send(Part(First + 1, "a", 3));
        await ShouldHoldAsync(1, 2, 3);
    }

    [Fact]
    public async Task a_page_behind_its_successors_fence_does_not_count_and_the_successors_does()
    {
        Topic.SendFence(First, "a");
        Topic.Send(Part(First + 1, "a", 2));
        Topic.SendFence(Second, "b");
        Topic.Send(Part(First + 2, "a", 3));
        Topic.Send(Part(Second + 1, "b", 2, previous: Second));
        await ShouldHoldAsync(1, 2, 7, 8);
    }

    [Fact]
    public async Task a_late_page_in_the_middle_of_its_successors_does_not_end_it()
    {
        var (late, page) = (Part(First + 1, "a", 3), Part(Second + 1, "b", 3));
        Topic.SendFence(Second, "b");
        Topic.Send(page[0], late[0], late[1], page[1], late[2], page[2]);
        await ShouldHoldAsync(1, 4, 6);
    }

    [Fact]
    public async Task a_page_that_a_fence_interrupts_is_not_finished_and_its_rest_is_late()
    {
        var torn = Part(First + 1, "a", 4);
        Topic.Send(torn[..2]);
        Topic.SendFence(Second, "b");
        Topic.Send(torn[2..]);
        Topic.Send(Part(Second + 1, "b", 2));
        await ShouldHoldAsync(5, 6);
    }

    [Fact]
    public async Task a_fence_that_is_late_itself_fences_nobody()
    {
        var page = Part(Second + 1, "b", 3);
        Topic.SendFence(Second, "b");
        Topic.Send(page[..2]);
        Topic.SendFence(First, "a");
        Topic.Send(page[2..]);
        Topic.SendFence(Second, "c");
        Topic.Send(Part(Second + 2, "b", 2));
        await ShouldHoldAsync(1, 2, 4, 6, 7);
    }

    [Fact]
    public async Task others_records_are_stored_wherever_they_stand()
    {
        var page = Part(Second + 1, "b", 3);
        Topic.Send(Part(First + 1, "a", 1));
        Topic.SendFence(Second, "b");
        Topic.Produce(0, TestTopic.Row(1));
        Topic.Send(page[..2]);
        Topic.Produce(0, TestTopic.Row(2));
        Topic.Send(page[2..]);
        await ShouldHoldAsync(0, 2, 3, 4, 5, 6);
    }

    /// <summary>
    /// The commit of a fence has no files: each says which file was the newest before it, also where the log was made again from the files.
    /// </summary>
    [Theory, InlineData(1, false), InlineData(17, false), InlineData(1, true)]
    public async Task a_lake_that_was_put_back_from_before_its_newest_files_is_not_gone_on_with(int fences, bool isLogLost)
    {
        Topic.Send(Part(First + 1, "a", 2));
        await lake.StoreAsync(Topic.All);
        using var backup = new TempFolder();
        TestLake.CopyFolder(lake.Root, backup["lake"]);
        Topic.Send(Part(First + 2, "a", 3, previous: First + 1));
        await lake.StoreAsync(Topic.All);
        if (isLogLost) Directory.Delete(Path.Combine(lake.Checkpoint, "commits"), recursive: true);
        for (var i = 0; i < fences; i++)
        {
            Topic.SendFence(Second + i, "b");
            await lake.StoreAsync(Topic.All);
        }
        Directory.Delete(lake.Root, recursive: true);
        TestLake.CopyFolder(backup["lake"], lake.Root);
        if (isLogLost)
        {
            // The lake of then names the log of then.
            var another = await Assert.ThrowsAsync<PipelineException>(() => lake.StoreAsync(Topic.All));
            Assert.Contains("The lake is filled by another commit log", another.Problem, StringComparison.Ordinal);
            File.Delete(Path.Combine(lake.Root, LakeOwner.LogFileName));
        }
        var e = await Assert.ThrowsAsync<PipelineException>(() => lake.StoreAsync(Topic.All));
        Assert.Equal(FailureAction.Stop, e.Action);
        Assert.Contains("at least 3 records, offsets 2 to 4", e.Problem, StringComparison.Ordinal);
    }

    /// <summary>Fences are not committed by themselves: what a batch has passed is more than the lake has.</summary>
    [Fact]
    public async Task a_page_whose_beginning_lies_below_fences_that_the_brokers_lost_is_read_whole()
    {
        using var instance = lake.NewInstance();
        Topic.SendFence(First, "a");
        Topic.SendFence(Second, "b");
        await instance.StoreAsync(Topic.All, CancellationToken.None);
        Topic.LoseFrom(0, 0);
        Topic.SendFence(Third, "c");
        Topic.Send(Part(Third + 1, "c", 2));
        var rest = Topic[0].Skip(2).ToList();
        await Assert.ThrowsAsync<PipelineException>(() => instance.StoreAsync(rest, CancellationToken.None));
        await instance.StoreAsync(rest, CancellationToken.None);
        Assert.Equal([(0, 1L), (0, 2L)], await lake.StoredAsync());
    }

    /// <summary>
    /// A part waits in memory for its end, the brokers lose it, and another page's beginning stands where it stood: delivered from there,
    /// or from behind what was delivered before.
    /// </summary>
    [Theory, InlineData(3), InlineData(6)]
    public async Task a_page_written_where_one_stood_that_is_open_is_read_from_its_beginning(int from)
    {
        using var instance = lake.NewInstance();
        Topic.SendFence(First, "a");
        Topic.Send(Part(First + 1, "a", 2));
        Topic.Send(Part(First + 2, "a", 6, previous: First + 1)[..3]);
        await instance.StoreAsync(Topic.All, CancellationToken.None);
        Topic.LoseFrom(0, 3);
        Topic.SendFence(Second, "b");
        Topic.Send(Part(Second + 1, "b", 5, previous: First + 1));
        Topic.Send(Part(Second + 2, "b", 2, previous: Second + 1));

        var delivered = Topic[0].Skip(from).ToList();
        await Assert.ThrowsAsync<PipelineException>(() => instance.StoreAsync(delivered, CancellationToken.None));
        await instance.StoreAsync(delivered, CancellationToken.None);
        Assert.Equal([1L, 2, 4, 5, 6, 7, 8, 9, 10], (await lake.StoredAsync()).Select(s => s.Offset));
        Assert.Empty(lake.Quarantined());
    }

    /// <summary>The same, and another publisher's fence is all that follows.</summary>
    [Fact]
    public async Task the_rest_of_a_page_written_where_one_stood_that_is_open_is_nobody_elses()
    {
        using var instance = lake.NewInstance();
        Topic.SendFence(First, "a");
        Topic.Send(Part(First + 1, "a", 6)[..3]);
        await instance.StoreAsync(Topic.All, CancellationToken.None);
        Topic.LoseFrom(0, 2);
        Topic.SendFence(Second, "b");
        Topic.Send(Part(Second + 1, "b", 4));
        Topic.SendFence(Third, "c");

        var delivered = Topic[0].Skip(4).ToList();
        await Assert.ThrowsAsync<PipelineException>(() => instance.StoreAsync(delivered, CancellationToken.None));
        await instance.StoreAsync(delivered, CancellationToken.None);
        Assert.Equal([3L, 4, 5, 6], (await lake.StoredAsync()).Select(s => s.Offset));
        Assert.Empty(lake.Quarantined());
    }

    /// <summary>
    /// What names a page of another stream, or of none, as an earlier form of the name does, is another producer's: it is in the lake, and
    /// not as the newest version.
    /// </summary>
    [Theory]
    [InlineData("5:x")]
    [InlineData("25769803776:x")]
    [InlineData("5:x:invoices")]
    [InlineData("25769803776:x:invoices")]
    public async Task a_record_that_names_anothers_page_is_neither_dropped_nor_newer_than_ours(string name)
    {
        Topic.SendFence(First, "a");
        Topic.Send(Part(First + 1, "a", 3));
        Topic.Send([TestTopic.Header(StreamHeader.PageName, name)]);
        Topic.Send(Part(First + 2, "a", 3, previous: First + 1));
        foreach (var batch in Topic.All.Chunk(2)) await lake.StoreAsync(batch);
        Assert.Equal([1L, 2, 3, 4, 5, 6, 7], (await lake.StoredAsync()).Select(s => s.Offset));
        Assert.InRange((await lake.VersionsAsync()).Max(v => v.Version), First + 2, First + 2);
    }

    /// <summary>As those send them who captured before the name told the stream: a page is known by its first record, or last.</summary>
    [Theory, InlineData(0), InlineData(1)]
    public async Task the_earlier_form_of_a_pages_name_is_read_where_the_page_is_known(int removed)
    {
        lake.PresentSchema = _ => Task.FromResult(TestTopic.Orders);
        var part = Part(First + 1, "a", 4);
        for (var i = 1; i < 3; i++) part[i] = [TestTopic.Header(StreamHeader.PageName, $"{First + 1}:a")];
        Topic.Send(part);
        Topic.Remove(0, below: removed);
        await lake.StoreAsync(Topic.All);
        Assert.Equal(Topic[0].Select(r => (7L, First + 1)), await lake.VersionsAsync());
        Assert.Empty(lake.Quarantined());
    }

    [Fact]
    public async Task records_that_name_a_decided_page_and_end_none_are_spoken_of_once_a_commit()
    {
        var slept = Part(First + 1, "a", 5);
        Topic.Send(slept[..2]);
        Topic.SendFence(Second, "b");
        Topic.Send(slept[2..4]);
        Topic.Send(Part(Second + 1, "b", 2));
        await lake.StoreAsync(Topic.All);
        var said = Assert.Single(lake.Log.Lines, l => l.Id == 3022);
        Assert.Contains("2 records do not count", said.Text, StringComparison.Ordinal);
    }

    /// <summary>In one delivery; record by record, each time by another process; and again.</summary>
    private async Task ShouldHoldAsync(params long[] offsets)
    {
        var expected = offsets.Select(o => (0, o)).ToList();
        for (var size = 1; size <= Topic[0].Count; size++)
        {
            using var other = new TestLake();
            foreach (var record in Topic[0])
            {
                var isFence = record.Value is null;
                other.Topic.Produce(0, isFence ? null : TestTopic.Row(7), [.. record.Headers ?? []], key: isFence ? null : "1");
            }
            foreach (var batch in other.Topic[0].Chunk(size)) await other.StoreAsync(batch);
            await other.StoreAsync(other.Topic.All);
            Assert.Equal(expected, await other.StoredAsync());
            Assert.Empty(other.Quarantined());
        }
    }
}
