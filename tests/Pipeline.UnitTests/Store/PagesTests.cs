using System.Text.Json;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.Lake.Files;
using OrdersStream.Rows;

namespace OrdersStream.UnitTests.Store;

/// <summary>Topic format 2: a page's part counts once it is whole, and once only.</summary>
public sealed class PagesTests : IDisposable
{
    private readonly TestLake lake = new();
    private TestTopic Topic => lake.Topic;

    public void Dispose() => lake.Dispose();

    [Fact]
    public async Task a_batch_that_ends_inside_a_page_commits_to_the_last_whole_one_and_keeps_the_rest()
    {
        var records = Topic.Framed(0, 1, [1, 2, 3]).Concat(Topic.Framed(0, 2, [4, 5, 6, 7], previous: 1)).ToList();
        using var instance = lake.NewInstance();
        await instance.StoreAsync([.. records.Take(5)], CancellationToken.None);
        Assert.Equal([1, 2, 3], await IdsAsync());

        await instance.StoreAsync([.. records.Skip(5)], CancellationToken.None);

        Assert.Equal([1, 2, 3, 4, 5, 6, 7], await IdsAsync());
        Assert.Empty(Topic.Read);
    }

    [Fact]
    public async Task after_a_restart_the_rest_of_a_page_finds_its_beginning_in_the_topic()
    {
        var records = Topic.Framed(0, 1, [1, 2, 3]).Concat(Topic.Framed(0, 2, [4, 5, 6, 7], previous: 1)).ToList();
        await lake.StoreAsync([.. records.Take(5)]);
        await lake.StoreAsync([.. records.Skip(5)]);
        Assert.Equal([1, 2, 3, 4, 5, 6, 7], await IdsAsync());
        Assert.Contains((0, 3L, 6L), Topic.Read);
    }

    [Fact]
    public async Task rows_have_the_number_of_their_page_as_their_version()
    {
        await lake.StoreAsync([.. Topic.Framed(0, 7, [1, 2]), Topic.Produce(0, TestTopic.Row(3)), .. Topic.Framed(0, 9, [4], previous: 7)]);
        Assert.Equal([(1, 7), (2, 7), (3, 7), (4, 9)], await VersionsAsync());
    }

    /// <summary>Else each page that comes after it would be late.</summary>
    [Fact]
    public async Task a_frame_with_a_number_that_no_page_can_have_is_another_producers_record()
    {
        await lake.StoreAsync(
        [
            .. Topic.Framed(0, 7, [1]), .. Topic.Framed(0, 1L << 53, [2, 3]), Topic.Produce(0, null, [FramedTopic.Fence(1L << 60, "x")]),
            .. Topic.Framed(0, 9, [4], previous: 7),
        ]);
        Assert.Equal([(1, 7), (2, 7), (3, 7), (4, 9)], await VersionsAsync());
        Assert.Single(lake.Quarantined());
    }

    [Fact]
    public async Task a_page_that_is_sent_again_is_dropped_where_it_is_whole()
    {
        await lake.StoreAsync(Topic.Framed(0, 1, [1, 2, 3]));
        await lake.StoreAsync(Topic.Framed(0, 1, [1, 3], publisher: "b"));
        await lake.StoreAsync(Topic.Framed(0, 2, [4], previous: 1, publisher: "b"));
        Assert.Equal([1, 2, 3, 4], await IdsAsync());
        Assert.Empty(lake.Quarantined());
        Assert.Contains(lake.Log.Lines,
            l => l.Text.Contains("2 records do not count, of 1 pages that the lake has already", StringComparison.Ordinal));
    }

    /// <summary>The brokers may have lost the end of the repetition.</summary>
    [Fact]
    public async Task half_of_a_page_that_was_sent_again_where_it_is_whole_stops_nothing()
    {
        await lake.StoreAsync(
        [
            .. Topic.Framed(0, 1, [1, 2, 3]), .. Topic.Framed(0, 1, [1, 3], publisher: "b", sent: 1),
            .. Topic.Framed(0, 2, [4], previous: 1, publisher: "b"),
        ]);
        Assert.Equal([1, 2, 3, 4], await IdsAsync());
        Assert.Single(lake.Quarantined());
    }

    [Fact]
    public async Task a_page_that_was_not_finished_is_dropped_when_it_is_sent_again()
    {
        await lake.StoreAsync([.. Topic.Framed(0, 1, [1, 2, 3, 4], sent: 3), .. Topic.Framed(0, 1, [1, 2, 3, 4], publisher: "b")]);
        Assert.Equal([1, 2, 3, 4], await IdsAsync());
        Assert.Empty(lake.Quarantined());
        Assert.Equal([(1, 1), (2, 1), (3, 1), (4, 1)], await VersionsAsync());
    }

    /// <summary>
    /// By transactions only the newest page is sent again: one below it was numbered by a clock that was ahead before, and is new; or it is
    /// a copy, and that is for a human to say.
    /// </summary>
    [Theory, InlineData(false), InlineData(true)]
    public async Task a_whole_page_below_the_newest_stops_and_is_dropped_once_that_is_accepted(bool isCopy)
    {
        await lake.StoreAsync([.. Topic.Framed(0, 5, [1, 2]), .. Topic.Framed(0, 7, [3, 4], previous: 5)]);
        Topic.Framed(0, isCopy ? 5 : 4, isCopy ? [1, 2] : [6, 7], publisher: isCopy ? "a" : "b");
        var e = await Assert.ThrowsAsync<PipelineException>(() => lake.StoreAsync(Topic.All));
        Assert.Equal(FailureAction.Stop, e.Action);
        Assert.Contains("begins at offset 6", e.Problem, StringComparison.Ordinal);
        Assert.Contains("the lake has page 7", e.Problem, StringComparison.Ordinal);
        var marker = e.Remedy.Split('\'')[1];
        Directory.CreateDirectory(Path.GetDirectoryName(marker)!);
        await File.WriteAllBytesAsync(marker, [], TestContext.Current.CancellationToken);
        Topic.Framed(0, 8, [5], previous: 7);
        await lake.StoreAsync(Topic.All);
        Assert.Equal([1, 2, 3, 4, 5], await IdsAsync());
        Assert.Contains(lake.Log.Lines, l => l.Id == 3012);
    }

    /// <summary>The same where each record names its page: what was sent by who slept cannot be told from it, so both are named.</summary>
    [Fact]
    public async Task of_pages_below_the_newest_that_are_named_it_is_said_when_they_are_no_repetition()
    {
        await lake.StoreAsync(Topic.Framed(0, 7, [1, 2, 3], isNamed: true));
        await lake.StoreAsync(Topic.Framed(0, 4, [4, 5, 6], isNamed: true, publisher: "b"));
        Assert.Equal([1, 2, 3], await IdsAsync());
        var said = Assert.Single(lake.Log.Lines, l => l.Id == 3022).Text;
        Assert.Contains("3 records do not count", said, StringComparison.Ordinal);
        Assert.DoesNotContain("nothing is lost", said, StringComparison.Ordinal);
        Assert.Contains("new stream", said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task what_cannot_be_told_from_a_record_of_an_unfinished_page_is_kept_in_quarantine()
    {
        var unfinished = Topic.Framed(0, 1, [1, 2, 3, 4], sent: 2);
        var foreign = Topic.Produce(0, TestTopic.Row(99));
        await lake.StoreAsync([.. unfinished, foreign, .. Topic.Framed(0, 1, [1, 2, 3, 4], publisher: "b")]);
        Assert.Equal([1, 2, 3, 4], await IdsAsync());
        var kept = Assert.Single(lake.Quarantined());
        Assert.Equal(foreign.Offset, kept.GetProperty("offset").GetInt64());
        Assert.Contains("cannot be told from a record of that page", kept.GetProperty("reason").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task others_records_within_a_page_are_stored_as_records_of_others_are()
    {
        var page = Topic.Framed(0, 1, [1, 2, 3, 4], sent: 2);
        var foreign = Topic.Produce(0, TestTopic.Row(99));
        var poison = Topic.Produce(0, "no row");
        var rest = new TestTopic().Framed(0, 1, [1, 2, 3, 4])[2..]
            .Select(r => Topic.Produce(0, TestTopic.Row(r.Offset + 1), [.. r.Headers ?? []]));
        await lake.StoreAsync([.. page, foreign, poison, .. rest]);
        Assert.Equal([1, 2, 3, 4, 99], await IdsAsync());
        Assert.Equal(poison.Offset, Assert.Single(lake.Quarantined()).GetProperty("offset").GetInt64());
    }

    [Theory]
    [InlineData(1, 3)]
    [InlineData(2, 6)]
    [InlineData(3, 9)]
    [InlineData(1, 10)]
    public async Task a_hole_anywhere_in_a_batch_is_read_from_kafka_first(int from, int to)
    {
        var records = Topic.Framed(0, 1, [1, 2, 3, 4]).Concat(Topic.Framed(0, 2, [5, 6, 7], previous: 1))
            .Append(Topic.Produce(0, TestTopic.Row(8))).Concat(Topic.Framed(0, 3, [9, 10, 11], previous: 2)).ToList();
        await lake.StoreAsync([.. records.Take(from), .. records.Skip(to)]);
        Assert.Equal(Enumerable.Range(1, 11).Select(i => (long)i), await IdsAsync());
        Assert.NotEmpty(Topic.Read);
    }

    [Fact]
    public async Task a_page_that_kafka_has_no_longer_whole_stops_until_somebody_accepts_it()
    {
        var records = Topic.Framed(0, 1, [1, 2, 3, 4]);
        Topic.Compact(0, records[2].Offset);
        var e = await Assert.ThrowsAsync<PipelineException>(() => lake.StoreAsync(Topic.All));
        Assert.Equal(FailureAction.Stop, e.Action);
        Assert.Contains("begins at offset 0 and has 4 records; Kafka has only 3 of them", e.Problem, StringComparison.Ordinal);
        Assert.Empty(await IdsAsync());

        var marker = e.Remedy.Split('\'')[1];
        Directory.CreateDirectory(Path.GetDirectoryName(marker)!);
        File.WriteAllText(marker, "");
        await lake.StoreAsync(Topic.All);

        Assert.Equal([1, 2, 4], await IdsAsync());
    }

    [Fact]
    public async Task a_schema_that_no_folder_has_comes_with_the_page()
    {
        var note = new Column("note", new ColumnType(ColumnKind.Text, "text"), true);
        var other = new TableSchema(TestTopic.Orders.Columns.Add(note), [0], 3);
        Directory.Delete(Path.Combine(lake.Checkpoint, "schemas"), recursive: true);
        await lake.StoreAsync(Topic.Framed(0, 1, [1, 2]));
        await lake.StoreAsync(Topic.Framed(0, 2, [3], previous: 1, schema: other));
        // The value lacks the column: that the schema is known is seen by the reason.
        Assert.Equal([1, 2], await IdsAsync());
        Assert.Contains("note", Assert.Single(lake.Quarantined()).GetProperty("reason").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task a_page_of_a_later_version_stops_and_nothing_of_it_is_stored()
    {
        var frame = "{\"version\": 4, \"stream\": \"orders\"}";
        var later = TestTopic.Header(StreamHeader.Page, frame);
        var records = Topic.Framed(0, 1, [1]).Append(Topic.Produce(0, TestTopic.Row(2), [later])).ToList();
        var e = await Assert.ThrowsAsync<PipelineException>(() => lake.StoreAsync(records));
        Assert.Contains("format version 4", e.Problem, StringComparison.Ordinal);
        Assert.Equal(FailureAction.Stop, e.Action);
    }

    /// <summary>What is of a later version stops a program that does not know it, and such a one was there before deletes were.</summary>
    [Fact]
    public void a_page_of_deletes_is_of_a_version_of_its_own()
    {
        Assert.Equal((2, 3), (PageFrame.Version, PageFrame.DeletesVersion));
        foreach (var isDeletes in (bool[])[false, true])
        {
            var frame = new PageFrame("orders", 1, "a", [0], 4, null, isNamed: false, TestTopic.Orders, isDeletes: isDeletes);
            foreach (var header in (byte[][])[frame.Start(1, 0), frame.End(1)])
                Assert.Equal(
                    isDeletes ? 3 : 2, JsonDocument.Parse(header).RootElement.GetProperty("version").GetInt32());
        }
    }

    [Fact]
    public async Task where_records_name_their_page_the_rest_of_one_that_slept_is_dropped()
    {
        var slept = Topic.Framed(0, 2, [5, 6, 7, 8], previous: 1, isNamed: true, publisher: "sleeps", sent: 2);
        var taken = Topic.Framed(0, 2, [5, 6, 7], previous: 1, isNamed: true, publisher: "b");
        var foreign = Topic.Produce(0, TestTopic.Row(99));
        var next = Topic.Framed(0, 3, [8, 9, 10], previous: 2, isNamed: true, publisher: "b", sent: 1);
        var late = new TestTopic().Framed(0, 2, [5, 6, 7, 8], isNamed: true, publisher: "sleeps")[2..]
            .Select(r => Topic.Produce(0, TestTopic.Row(r.Offset + 5), [.. r.Headers ?? []])).ToList();
        var rest = new TestTopic().Framed(0, 3, [8, 9, 10], isNamed: true, publisher: "b")[1..]
            .Select(r => Topic.Produce(0, TestTopic.Row(r.Offset + 8), [.. r.Headers ?? []])).ToList();
        await lake.StoreAsync([.. slept, .. taken, foreign, .. next, .. late, .. rest]);
        Assert.Equal([5, 6, 7, 8, 9, 10, 99], await IdsAsync());
        Assert.Equal([(5, 2), (6, 2), (7, 2), (8, 3), (9, 3), (10, 3), (99, 2)], await VersionsAsync());
        Assert.Empty(lake.Quarantined());
    }

    [Fact]
    public async Task records_below_what_the_lake_has_are_new_where_the_topic_lost_its_end()
    {
        await lake.StoreAsync([.. Topic.Framed(0, 1, [1, 2]), .. Topic.Framed(0, 2, [3, 4], previous: 1)]);
        Topic.LoseFrom(0, 3);
        Topic.Framed(0, 3, [3], previous: 1);
        await lake.StoreAsync(Topic.All);
        Assert.Equal([(1, 1), (2, 1), (3, 2), (3, 3), (4, 2)], await VersionsAsync());
        Assert.Contains(lake.Log.Lines, l => l.Text.Contains("the brokers lost the end of the topic", StringComparison.Ordinal));
    }

    /// <summary>The end of what is committed lies below what the lake has: another's transaction is open there.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task what_another_transaction_hides_is_not_lost(bool isOpen)
    {
        Topic.Framed(0, 1, [1, 2]);
        Topic.Framed(0, 2, [3], previous: 1);
        for (var i = 4; i < 8; i++) Topic.Produce(0, TestTopic.Row(i));
        using var instance = lake.NewInstance();
        await instance.StoreAsync(Topic.All, CancellationToken.None);
        Topic.HiddenFrom[0] = 5;
        if (isOpen)
        {
            var batch = await instance.OpenBatchAsync(CancellationToken.None);
            Topic.HiddenFrom.Clear();
            await batch.NextOffsetAsync(0, CancellationToken.None);
            Topic.HiddenFrom[0] = 5;
            Assert.Equal((null, true), await batch.FindLostEndAsync(CancellationToken.None));
        }
        else
        {
            var hidden = await Assert.ThrowsAsync<PipelineException>(() => lake.NextOffsetAsync(0));
            Assert.Equal(FailureAction.Retry, hidden.Action);
            Assert.Contains("A transaction is open in topic 'orders', partition 0, since offset 5", hidden.Problem);
        }
        Topic.HiddenFrom.Clear();
        await lake.StoreAsync(Topic.All);
        await lake.AssertStoredOnceAsync();
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(9)]
    public async Task so_they_are_where_the_topic_has_grown_as_high_again_and_higher(int rows)
    {
        await lake.StoreAsync([.. Topic.Framed(0, 1, [1, 2]), .. Topic.Framed(0, 2, [3, 4], previous: 1)]);
        Topic.LoseFrom(0, 3);
        Topic.Framed(0, 3, [.. Enumerable.Range(3, rows).Select(i => (long)i)], previous: 1);
        await lake.StoreAsync([]);
        Assert.Equal(3, await lake.NextOffsetAsync(0));
        await lake.StoreAsync([.. Topic[0].Skip(3)]);
        Assert.Equal(Enumerable.Range(1, rows + 2).Select(i => (long)i), (await IdsAsync()).Distinct());
        Assert.Equal(rows, (await VersionsAsync()).Count(v => v.Version == 3));
    }

    [Fact]
    public async Task so_they_are_where_the_last_record_that_the_lake_has_is_anothers()
    {
        Topic.Framed(0, 1, [1, 2]);
        Topic.Framed(0, 2, [3, 4], previous: 1);
        Topic.Produce(0, TestTopic.Row(9));
        await lake.StoreAsync(Topic.All);
        Assert.Equal(7, await lake.NextOffsetAsync(0));
        Topic.LoseFrom(0, 3);
        Topic.Framed(0, 3, [3, 4], previous: 1);
        for (var i = 0; i < 2; i++) Topic.Produce(0, TestTopic.Row(9));
        Assert.Equal(3, await lake.NextOffsetAsync(0));
    }

    /// <summary>What has an older page's number, or looks like one of the earlier format, shows nothing of the log.</summary>
    [Theory, InlineData("late"), InlineData("position"), InlineData("page-name")]
    public async Task so_they_are_where_a_record_of_an_older_page_or_one_that_looks_so_lies_before_it(string kind)
    {
        lake.PresentSchema = _ => Task.FromResult(TestTopic.Orders);
        var ids = Enumerable.Range(3, 200).Select(i => (long)i).ToArray();
        await lake.StoreAsync([.. Topic.Framed(0, 1, [1, 2, 3], isNamed: true), .. Topic.Framed(0, 2, ids, previous: 1, isNamed: true)]);
        Topic.LoseFrom(0, 3);
        Topic.Framed(0, 3, ids[..100], previous: 1, isNamed: true, publisher: "b");
        for (var i = 0; i < 60; i++) Topic.Produce(0, TestTopic.Row(9));
        Topic.Produce(0, TestTopic.Row(9), kind switch
        {
            "late" => [.. new TestTopic().Framed(0, 1, [1, 2, 3], isNamed: true)[1].Headers!],
            "position" => [TestTopic.Header(StreamHeader.Position, "{}")],
            _ => [TestTopic.Header(StreamHeader.PageName, "2:x:invoices")],
        });
        for (var i = 0; i < 200; i++) Topic.Produce(0, TestTopic.Row(9));
        Assert.Equal(3, await lake.NextOffsetAsync(0));
    }

    /// <summary>It may have been stored by another when it comes back, or lost its end meanwhile.</summary>
    [Fact]
    public async Task a_page_that_is_open_in_a_partition_that_goes_is_not_kept()
    {
        using var instance = lake.NewInstance();
        var batch = await instance.OpenBatchAsync(CancellationToken.None, readsInOrder: true);
        var page = Topic.Framed(0, 1, [1, 2, 3]);
        foreach (var record in page.Take(2)) await batch.AddAsync(record, CancellationToken.None);
        Assert.Equal(1, batch.OpenPages);
        batch.Forget([0, 1]);
        Assert.Equal(0, batch.OpenPages);

        Assert.Equal(0, await batch.NextOffsetAsync(0, CancellationToken.None));
        foreach (var record in page) await batch.AddAsync(record, CancellationToken.None);
        await batch.CommitAsync(CancellationToken.None);
        await lake.AssertStoredOnceAsync();
    }

    /// <summary>Behind the last record others' markers stand, or records that were taken back: retention takes those, too.</summary>
    [Fact]
    public async Task an_end_that_was_reached_is_no_loss_once_retention_takes_what_lay_before_it()
    {
        lake.PresentSchema = _ => Task.FromResult(TestTopic.Orders);
        using (var instance = lake.NewInstance())
        {
            var batch = await instance.OpenBatchAsync(CancellationToken.None, readsInOrder: true);
            await batch.AddAsync(Topic.Produce(0, TestTopic.Row(1)), CancellationToken.None);
            await batch.CommitAsync(CancellationToken.None);
            Assert.False(batch.HasNews);
            Topic.Skip(0, 3);
            batch.EndReached(0, 4);
            Assert.True(batch.HasNews);
            await batch.CommitAsync(CancellationToken.None);
            Assert.False(batch.HasNews);
        }
        Topic.Remove(0, below: 4);

        Assert.Equal(4, await lake.NextOffsetAsync(0));
        Assert.Single(await lake.VersionsAsync());
    }

    /// <summary>Its offset may be the one that a marker has behind a page: only a page's end is followed by one.</summary>
    [Fact]
    public async Task a_record_behind_anothers_that_has_a_position_is_not_passed_over()
    {
        lake.PresentSchema = _ => Task.FromResult(TestTopic.Orders);
        await lake.StoreAsync([Topic.Produce(0, TestTopic.Row(1), [TestTopic.Header(StreamHeader.Position, "{}")])]);
        Topic.Produce(0, TestTopic.Row(2));
        await lake.StoreAsync(Topic.Page(0, 2));
        await lake.AssertStoredOnceAsync();
    }

    [Fact]
    public async Task so_they_are_where_the_lake_has_only_pages_of_the_earlier_format()
    {
        await lake.StoreAsync([.. Topic.Page(0, 2), .. Topic.Page(0, 2)]);
        Assert.Equal(5, await lake.NextOffsetAsync(0));
        Topic.LoseFrom(0, 3);
        Topic.Framed(0, 1, [3, 4, 5]);
        Assert.Equal(3, await lake.NextOffsetAsync(0));
    }

    [Fact]
    public async Task in_a_topic_of_others_records_alone_one_looks_back_a_little_only()
    {
        lake.PresentSchema = _ => Task.FromResult(TestTopic.Orders);
        for (var i = 0; i < 40_000; i++) Topic.Produce(0, TestTopic.Row(i));
        await lake.StoreAsync(Topic.All);
        Topic.Read.Clear();
        Assert.Equal(40_000, await lake.NextOffsetAsync(0));
        Assert.Equal(40_000 - 32_768, Topic.Read.Min(r => r.From));
    }

    [Fact]
    public async Task an_instance_that_lived_through_it_finds_the_new_records_too()
    {
        using var instance = lake.NewInstance();
        await instance.StoreAsync([.. Topic.Framed(0, 1, [1, 2]), .. Topic.Framed(0, 2, [3, 4], previous: 1)], CancellationToken.None);
        Topic.LoseFrom(0, 3);
        var again = Topic.Framed(0, 3, [3, 5, 6, 7, 8], previous: 1);
        // Delivered again after the failure, as a platform does.
        await Assert.ThrowsAsync<PipelineException>(() => instance.StoreAsync(again, CancellationToken.None));
        await instance.StoreAsync(again, CancellationToken.None);
        Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8], (await IdsAsync()).Distinct());
        Assert.Equal(5, (await VersionsAsync()).Count(v => v.Version == 3));
    }

    private async Task<IEnumerable<long>> IdsAsync() => (await VersionsAsync()).Select(v => v.Id);

    private Task<List<(long Id, long Version)>> VersionsAsync() => lake.VersionsAsync();
}
