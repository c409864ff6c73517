using OrdersStream.Diagnostics;
using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.Lake.Files;
using OrdersStream.Rows;

namespace OrdersStream.UnitTests.Store;

/// <summary>Pages of which Kafka has only a part, or one that is another partition's: nothing of them is lost without a word.</summary>
public sealed class DamagedPagesTests : IDisposable
{
    private readonly TestLake lake = new();
    private TestTopic Topic => lake.Topic;

    public void Dispose() => lake.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task a_page_whose_end_is_gone_stops_and_is_stored_once_that_is_accepted(bool isNamed)
    {
        var page = Topic.Framed(0, 1, [1, 2, 3], isNamed: isNamed);
        Topic.Framed(0, 2, [4], previous: 1, isNamed: isNamed);
        Topic.Compact(0, page[2].Offset);
        await AcceptAsync("begins at offset 0 and has 3 records; Kafka has only 2 of them");
        await lake.StoreAsync(Topic.All);
        Assert.Equal([(1, 1), (2, 1), (4, 2)], await VersionsAsync());
        Assert.Empty(lake.Quarantined());
    }

    /// <summary>A publisher whose page was not acknowledged sends no other: it was whole, though the next page tells of another.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task so_does_one_where_whole_pages_behind_it_are_gone_too(bool isNamed)
    {
        var page = Topic.Framed(0, 1, [1, 2, 3], isNamed: isNamed);
        var between = Topic.Framed(0, 2, [4], previous: 1, isNamed: isNamed);
        Topic.Framed(0, 3, [5], previous: 2, isNamed: isNamed);
        Topic.Compact(0, page[2].Offset);
        Topic.Compact(0, between[0].Offset);
        await AcceptAsync("begins at offset 0 and has 3 records; Kafka has only 2 of them");
        await lake.StoreAsync(Topic.All);
        Assert.Equal([(1, 1), (2, 1), (5, 3)], await VersionsAsync());
        Assert.Empty(lake.Quarantined());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task a_page_that_its_publisher_did_not_finish_is_none_that_was_whole(bool isNamed)
    {
        Topic.Framed(0, 1, [1, 2, 3], isNamed: isNamed, sent: 2);
        Topic.Framed(0, 2, [1, 2, 3], isNamed: isNamed, publisher: "b");
        await lake.StoreAsync(Topic.All);
        Assert.Equal([(1, 2), (2, 2), (3, 2)], await VersionsAsync());
    }

    /// <summary>Page after page lacks what newer versions superseded: nobody is to be asked for each.</summary>
    [Fact]
    public async Task what_compaction_took_of_any_page_is_accepted_once_for_all_by_the_configuration()
    {
        lake.Kafka = new() { Compacted = "warn" };
        (long[] Ids, int[] Taken)[] pages = [([1, 2, 3], [1]), ([1, 2, 4], [0]), ([1, 5], [0]), ([1, 2], [])];
        foreach (var (number, (ids, taken)) in pages.Index())
        {
            var page = Topic.Framed(0, number + 1, ids, previous: number);
            foreach (var record in taken) Topic.Compact(0, page[record].Offset);
            try
            {
                await lake.StoreAsync(Topic.All);
            }
            catch (PipelineException e) when (e.Action == FailureAction.Retry)
            {
                // Its rows are read again, as those of the page that they are of.
                await lake.StoreAsync(Topic.All);
            }
        }
        Assert.Equal([(1, 1), (1, 4), (2, 2), (2, 4), (3, 1), (4, 2), (5, 3)], (await VersionsAsync()).Order());
        Assert.Contains(lake.Log.Lines, l => l.Text.EndsWith("since 'kafka.compacted: warn' says so", StringComparison.Ordinal));
        Assert.Empty(lake.Quarantined());
    }

    [Fact]
    public async Task others_records_do_not_make_up_for_an_end_that_is_gone()
    {
        var page = Topic.Framed(0, 1, [1, 2, 3]);
        Topic.Produce(0, TestTopic.Row(9));
        Topic.Framed(0, 2, [4], previous: 1);
        Topic.Compact(0, page[2].Offset);
        await AcceptAsync("has 3 records; Kafka has only 2 of them");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task a_page_whose_beginning_is_gone_stops_and_what_is_left_is_stored_as_its_rows_once_that_is_accepted(bool isNamed)
    {
        Topic.Framed(0, 1, [1, 2], isNamed: isNamed);
        var page = Topic.Framed(0, 2, [3, 4, 5], previous: 1, isNamed: isNamed);
        Topic.Framed(0, 3, [6], previous: 2, isNamed: isNamed);
        Topic.Compact(0, page[0].Offset);
        await AcceptAsync($"ends at offset {page[2].Offset} and has 3 records; Kafka no longer has its first");
        var again = await Assert.ThrowsAsync<PipelineException>(() => lake.StoreAsync(Topic.All));
        Assert.Equal(FailureAction.Retry, again.Action);
        await lake.StoreAsync(Topic.All);
        Assert.Equal([(1, 1), (2, 1), (4, 2), (5, 2), (6, 3)], await VersionsAsync());
    }

    [Fact]
    public async Task the_first_record_of_a_page_that_is_not_sent_again_is_kept_as_the_others_are()
    {
        Topic.Framed(0, 1, [1, 2, 3], sent: 2);
        Topic.Framed(0, 2, [4], publisher: "b");
        await lake.StoreAsync(Topic.All);
        Assert.Equal([(4, 2)], await VersionsAsync());
        Assert.Equal([0, 1], lake.Quarantined().Select(q => q.GetProperty("offset").GetInt64()));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task what_retention_left_of_a_page_has_its_number(bool atOnce)
    {
        lake.PresentSchema = _ => Task.FromResult(TestTopic.Orders);
        Topic.Framed(0, 7, [1, 2, 3, 4]);
        Topic.Framed(0, 9, [5], previous: 7);
        Topic.Remove(0, below: 1);
        foreach (var batch in Topic.All.Chunk(atOnce ? 4 : 1)) await lake.StoreAsync(batch);
        Assert.Equal([(2, 7), (3, 7), (4, 7), (5, 9)], await VersionsAsync());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task so_it_has_where_its_loss_was_accepted(bool isOpen)
    {
        using var instance = lake.NewInstance();
        await instance.StoreAsync(Topic.Framed(0, 5, [1]), CancellationToken.None);
        Topic.Framed(0, 7, [2, 3, 4], previous: 5);
        Topic.Remove(0, below: 3);
        await AcceptAsync("no longer has 1 offsets");
        if (isOpen) await instance.StoreAsync(Topic.All, CancellationToken.None);
        else await lake.StoreAsync(Topic.All);
        Assert.Equal([(1, 5), (3, 7), (4, 7)], await VersionsAsync());
    }

    [Theory]
    [InlineData(false, 1)]
    [InlineData(false, 3)]
    [InlineData(true, 3)]
    public async Task a_page_that_was_copied_from_another_partition_is_kept_in_quarantine(bool isNamed, int rows)
    {
        var page = Topic.Framed(1, 4, [.. Enumerable.Range(1, rows).Select(i => (long)i)], isNamed: isNamed);
        Topic.Framed(0, 3, [9], isNamed: isNamed);
        foreach (var r in page) Topic.Produce(0, TestTopic.Row(7), [.. r.Headers ?? []]);
        Topic.Produce(0, TestTopic.Row(8));
        Topic.Framed(0, 5, [10], previous: 3, isNamed: isNamed);
        await lake.StoreAsync(Topic.All);
        Assert.Equal([.. page.Select((_, i) => (i + 1L, 4L)), (8, 3), (9, 3), (10, 5)], await VersionsAsync());
        Assert.Equal(rows, lake.Quarantined().Count());
        Assert.All(lake.Quarantined(), q =>
            Assert.Contains("it was copied from another", q.GetProperty("reason").GetString(), StringComparison.Ordinal));
    }

    [Fact]
    public async Task such_a_page_is_none_of_another_log_and_ends_no_page_that_arrives()
    {
        var page = Topic.Framed(1, 4, [1, 2]);
        var own = Topic.Framed(0, 4, [5, 6, 7], sent: 2);
        foreach (var r in page) Topic.Produce(0, TestTopic.Row(70), [.. r.Headers ?? []]);
        var last = new TestTopic().Framed(0, 4, [5, 6, 7])[2];
        Topic.Produce(0, TestTopic.Row(7), [.. last.Headers ?? []], markerFollows: true);
        await lake.StoreAsync(Topic.All);
        foreach (var r in Topic.Framed(1, 6, [8], previous: 4)) Topic.Produce(0, TestTopic.Row(70), [.. r.Headers ?? []]);
        await lake.StoreAsync(Topic.All);
        Assert.Equal([(1, 4), (2, 4), (5, 4), (6, 4), (7, 4), (8, 6)], await VersionsAsync());
        Assert.Equal(7, await lake.NextOffsetAsync(0));
        Assert.Equal(3, lake.Quarantined().Count());
    }

    /// <summary>All partitions together hold no more than one may; what is given up is nothing new to who opens it anew.</summary>
    [Fact]
    public async Task what_waits_for_ends_of_pages_in_all_partitions_is_bounded_and_the_fullest_is_given_up()
    {
        lake.PresentSchema = _ => Task.FromResult(TestTopic.Orders);
        var filler = new string('x', 1024 * 1024);
        for (var partition = 0; partition < 2; partition++)
        {
            Topic.Framed(partition, 4, [1, 2, 3], sent: 1);
            for (var i = 0; i < (partition == 0 ? 45 : 25); i++) Topic.Produce(partition, filler);
        }
        await lake.StoreAsync(Topic.All);
        Assert.Equal(46, lake.Quarantined().Count(q => q.GetProperty("partition").GetInt32() == 0));
        Assert.DoesNotContain(lake.Quarantined(), q => q.GetProperty("partition").GetInt32() == 1);
        Assert.Single(lake.Log.Lines, l => l.Text.Contains("page 4 begins at offset 0 and does not end before", StringComparison.Ordinal));
        Assert.Equal(46, await lake.NextOffsetAsync(0));
        Assert.Equal(0, await lake.NextOffsetAsync(1));
    }

    /// <summary>Capture cuts pages by a setting of its own, and who filled the topic may have had another.</summary>
    [Fact]
    public async Task a_page_that_still_arrives_is_not_given_up_however_large()
    {
        var ids = Enumerable.Range(1, 70).Select(i => (long)i).ToArray();
        Topic.Framed(0, 4, ids, value: id => TestTopic.Row(id).Replace("PLACED", new string('x', 1024 * 1024), StringComparison.Ordinal));
        await lake.StoreAsync(Topic.All);
        Assert.Empty(lake.Quarantined());
        Assert.Equal(ids.Select(id => (id, 4L)), await VersionsAsync());
    }

    /// <summary>Before the end it stands for the last of the page's records, as many as there are.</summary>
    [Fact]
    public async Task a_page_in_which_one_record_of_another_stands_is_not_given_up_however_large_that_is()
    {
        var page = new TestTopic().Framed(0, 4, [1, 2, 3]);
        foreach (var record in page[..2]) Topic.Produce(0, TestTopic.Row(record.Offset + 1), [.. record.Headers ?? []]);
        var others = Topic.Produce(0, new string('x', 65 * 1024 * 1024));
        Topic.Produce(0, TestTopic.Row(3), [.. page[2].Headers ?? []], markerFollows: true);
        await lake.StoreAsync(Topic.All);
        Assert.Equal([(1, 4), (2, 4), (3, 4)], await VersionsAsync());
        Assert.Equal(others.Offset, Assert.Single(lake.Quarantined()).GetProperty("offset").GetInt64());
    }

    /// <summary>Its publisher takes it for published, and nobody sends it again.</summary>
    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task nothing_of_a_page_that_was_given_up_is_dropped_though_its_end_comes(bool isNamed, bool isOpenedAnew)
    {
        lake.PresentSchema = _ => Task.FromResult(TestTopic.Orders);
        var page = new TestTopic().Framed(0, 4, [1, 2, 3], isNamed: isNamed);
        var filler = new string('x', 1024 * 1024);
        foreach (var record in page[..2].Append(page[1])) Topic.Produce(0, TestTopic.Row(1), [.. record.Headers ?? []]);
        for (var i = 0; i < 66; i++) Topic.Produce(0, filler);
        using var instance = lake.NewInstance();
        if (isOpenedAnew) await lake.StoreAsync(Topic.All);
        else await instance.StoreAsync(Topic.All, CancellationToken.None);
        Assert.Single(lake.Log.Lines, l => l.Text.Contains("page 4 begins at offset 0 and does not end before", StringComparison.Ordinal));
        var last = Topic.Produce(0, TestTopic.Row(3), [.. page[2].Headers ?? []], markerFollows: !isNamed);
        await instance.StoreAsync([last], CancellationToken.None);
        await lake.AssertStoredOnceAsync();
    }

    [Fact]
    public async Task a_page_before_the_first_is_missing_where_the_lake_has_all_that_the_partition_ever_had()
    {
        await lake.StoreAsync([]);
        Topic.Framed(0, 5, [1], previous: 3);
        await lake.StoreAsync(Topic.All);
        Assert.Single(lake.Log.Lines, l => l.Text.Contains("page 3 was published and is nowhere in the topic", StringComparison.Ordinal));
    }

    /// <summary>Nothing but the next page's frame tells of them, and one line is soon forgotten.</summary>
    [Fact]
    public async Task whole_pages_that_are_gone_are_said_at_each_start_until_somebody_knows_of_them()
    {
        await lake.StoreAsync(Topic.Framed(0, 1, [1]));
        var gone = Topic.Framed(0, 2, [2], previous: 1);
        Topic.Framed(0, 3, [3], previous: 2);
        Topic.Compact(0, gone[0].Offset);
        await lake.StoreAsync(Topic.All);
        Assert.Empty(StartLines());
        await lake.StoreAsync(Topic.Framed(0, 4, [4], previous: 3));
        var line = Assert.Single(StartLines());
        Assert.Contains("places so far: 1.", line, StringComparison.Ordinal);

        File.WriteAllText(line.Split('\'')[1], "");
        await lake.StoreAsync(Topic.Framed(0, 5, [5], previous: 4));
        Assert.Single(StartLines());
        Assert.Equal([(1, 1), (3, 3), (4, 4), (5, 5)], await VersionsAsync());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task a_loss_that_was_accepted_is_none_of_them(bool isOpen)
    {
        using var instance = lake.NewInstance();
        await instance.StoreAsync(Topic.Framed(0, 1, [1]), CancellationToken.None);
        Topic.Framed(0, 2, [2], previous: 1);
        Topic.Remove(0, below: 4);
        Topic.Framed(0, 3, [3], previous: 2);
        await AcceptAsync("no longer has");
        if (!isOpen) await lake.NextOffsetAsync(0);
        if (isOpen) await instance.StoreAsync(Topic.All, CancellationToken.None);
        else await lake.StoreAsync(Topic.All);
        await lake.StoreAsync(Topic.Framed(0, 4, [4], previous: 3));
        Assert.Empty(StartLines());
        Assert.DoesNotContain(lake.Log.Lines, l => l.Text.Contains("nowhere in the topic", StringComparison.Ordinal));
    }

    private IEnumerable<string> StartLines() => lake.Log.Lines.Select(l => l.Text)
        .Where(t => t.Contains("whole pages that were published are nowhere in the topic", StringComparison.Ordinal));

    [Fact]
    public async Task a_page_before_the_first_may_be_anywhere_where_the_partition_began_before_the_lake()
    {
        Topic.Framed(0, 3, [1]);
        Topic.Remove(0, below: 1);
        Topic.Framed(0, 5, [2], previous: 3);
        await lake.StoreAsync(Topic.All);
        Assert.DoesNotContain(lake.Log.Lines, l => l.Text.Contains("was published and is nowhere", StringComparison.Ordinal));
    }

    /// <summary>Storing stops with that text; and a human accepts it.</summary>
    private async Task AcceptAsync(string problem)
    {
        var e = await Assert.ThrowsAsync<PipelineException>(() => lake.StoreAsync(Topic.All));
        Assert.Equal(FailureAction.Stop, e.Action);
        Assert.Contains(problem, e.Problem, StringComparison.Ordinal);
        var marker = e.Remedy.Split('\'')[1];
        Directory.CreateDirectory(Path.GetDirectoryName(marker)!);
        File.WriteAllText(marker, "");
    }

    private Task<List<(long Id, long Version)>> VersionsAsync() => lake.VersionsAsync();
}
