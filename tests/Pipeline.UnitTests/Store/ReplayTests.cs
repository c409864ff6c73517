using System.Text;
using OrdersStream.Durable;
using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.Lake.Files;
using OrdersStream.Rows;

namespace OrdersStream.UnitTests.Store;

/// <summary>A quarantined record that is sent again is a row or in quarantine, once, whoever dies and however often it comes.</summary>
public sealed class ReplayTests : IDisposable
{
    private readonly TestLake lake = new();
    private TestTopic Topic => lake.Topic;

    public void Dispose() => lake.Dispose();

    [Fact]
    public async Task a_corrected_record_is_as_old_as_it_was_and_hides_nothing_that_was_captured_since()
    {
        Topic.Framed(0, 3, [1, 2]);
        var poison = Topic.Produce(0, "poison", key: "2");
        Topic.Framed(0, 9, [2], previous: 3);
        await lake.StoreAsync(Topic.All);
        Assert.Equal(3, Assert.Single(Waiting()).Version);

        Replay(0, poison, TestTopic.Row(2), Assert.Single(Waiting()).Version);
        await lake.StoreAsync(Topic.All);

        Assert.Equal([(1, 3), (2, 3), (2, 3), (2, 9)], await lake.VersionsAsync());
        Assert.Empty(Waiting());
        Assert.Contains("_quarantine/replayed-0-6-6.json", lake.Files());
    }

    /// <summary>Of two of one key, with no page between them, the later one counts: it is to be sent later, too.</summary>
    [Fact]
    public async Task what_waits_is_in_the_order_in_which_it_came()
    {
        foreach (var rows in new[] { 3, 100 })
        {
            Topic.Page(0, rows);
            Topic.Produce(0, "poison", key: "2");
            await lake.StoreAsync(Topic.All);
        }
        Assert.Equal([4L, 106], Waiting().Select(r => r.Place.Offset));
    }

    [Theory, InlineData(true), InlineData(false)]
    public async Task a_record_that_is_sent_twice_counts_once(bool inOneBatch)
    {
        Topic.Framed(0, 3, [1]);
        var poison = Topic.Produce(0, "poison");
        await lake.StoreAsync(Topic.All);
        var copies = new[] { Replay(0, poison, TestTopic.Row(2)), Replay(0, poison, TestTopic.Row(2)) };
        foreach (var batch in inOneBatch ? [copies] : copies.Select(c => new[] { c })) await lake.StoreAsync(batch);
        Assert.Equal([(1, 3), (2, 3)], await lake.VersionsAsync());
        Assert.Empty(Waiting());
        Assert.Equal(copies[1].Offset + 1, await lake.NextOffsetAsync(0));
    }

    [Fact]
    public async Task what_is_no_row_again_is_in_quarantine_once_and_can_be_sent_once_more()
    {
        Topic.Framed(0, 3, [1]);
        var poison = Topic.Produce(0, "poison");
        await lake.StoreAsync(Topic.All);
        var again = Replay(0, poison, "still poison");
        await lake.StoreAsync(Topic.All);
        Assert.Equal(again.Offset, Assert.Single(Waiting()).Place.Offset);

        Replay(0, again, TestTopic.Row(2));
        await lake.StoreAsync(Topic.All);
        Assert.Empty(Waiting());
        Assert.Equal([(1, 3), (2, 3)], await lake.VersionsAsync());
    }

    /// <summary>Invariants 3 and 5: what became of it and that it came again are one commit.</summary>
    [Theory]
    [InlineData(CrashPoint.DataFileWritten)]
    [InlineData(CrashPoint.DataFileSynced)]
    [InlineData(CrashPoint.TemporaryNamesSynced)]
    [InlineData(CrashPoint.CommitCreated)]
    [InlineData(CrashPoint.DataFileRenamed)]
    [InlineData(CrashPoint.DirectorySynced)]
    public async Task whoever_dies_while_it_is_stored_it_is_never_in_both_places_nor_in_none(CrashPoint point)
    {
        Topic.Framed(0, 3, [1]);
        var (first, second) = (Topic.Produce(0, "poison"), Topic.Produce(0, "poison"));
        await lake.StoreAsync(Topic.All);
        Replay(0, first, TestTopic.Row(2));
        Replay(0, second, "poison");
        for (var occurrence = 1; occurrence <= 3; occurrence++)
        {
            var seen = 0;
            using var dying = lake.NewInstance(reached =>
            {
                if (reached == point && Interlocked.Increment(ref seen) == occurrence) throw new CrashException();
            });
            await Record.ExceptionAsync(() => dying.StoreAsync(Topic.All, CancellationToken.None));
        }
        await lake.StoreAsync(Topic.All);
        await lake.StoreAsync([Replay(0, first, TestTopic.Row(2))]);

        Assert.Equal([(1, 3), (2, 3)], await lake.VersionsAsync());
        Assert.Equal(5, Assert.Single(Waiting()).Place.Offset);
    }

    [Theory, InlineData(true), InlineData(false)]
    public async Task between_the_records_of_a_page_it_is_told_from_them(bool isFinished)
    {
        Topic.Framed(0, 3, [1]);
        var poison = Topic.Produce(0, "poison");
        var page = new PageFrame("orders", 5, "a", [0], 4, null, isNamed: false, TestTopic.Orders);
        Topic.Produce(0, TestTopic.Row(7), [new(StreamHeader.Page, page.Start(2, 3))], key: "7");
        Replay(0, poison, TestTopic.Row(2));
        if (isFinished) Topic.Produce(0, TestTopic.Row(8), [new(StreamHeader.PageEnd, page.End(2))], markerFollows: true, key: "8");
        Topic.Framed(0, isFinished ? 6 : 5, isFinished ? [9] : [7, 8], previous: isFinished ? 5 : 3, publisher: "b");
        await lake.StoreAsync(Topic.All);
        Assert.Empty(Waiting());
        var rest = isFinished ? (9, 6L) : (8, 5L);
        Assert.Equal([(1, 3), (2, 3), (7, 5), .. isFinished ? [(8L, 5L)] : Array.Empty<(long, long)>(), rest], await lake.VersionsAsync());
    }

    /// <summary>Pages up to the newest version of a lake's file count as stored where its log is lost.</summary>
    [Fact]
    public async Task in_another_partition_it_is_no_newer_than_the_newest_page_there()
    {
        Topic.Framed(0, 3, [1]);
        Topic.Framed(1, 9, [2]);
        var poison = Topic.Produce(1, "poison");
        await lake.StoreAsync(Topic.All);
        Replay(0, poison, TestTopic.Row(4), version: 9);
        await lake.StoreAsync(Topic.All);
        Assert.Equal([(1, 3), (2, 9), (4, 3)], await lake.VersionsAsync());
        Directory.Delete(lake.PartitionLog(0), recursive: true);
        Topic.Framed(0, 7, [5], previous: 3);
        await lake.StoreAsync(Topic.All);
        Assert.Equal([(1, 3), (2, 9), (4, 3), (5, 7)], await lake.VersionsAsync());
        Assert.Empty(Waiting());
        // A copy that comes yet is dropped, whatever log there is.
        await lake.StoreAsync([Replay(0, poison, TestTopic.Row(4), version: 9)]);
        Assert.Equal(4, (await lake.VersionsAsync()).Count);
    }

    [Fact]
    public async Task the_schema_by_which_it_is_a_row_is_not_that_of_the_records_behind_it()
    {
        var wider = new TableSchema(
            [.. TestTopic.Orders.Columns, new Column("note", new ColumnType(ColumnKind.Text, "text"), Nullable: true)],
            TestTopic.Orders.KeyColumns, TestTopic.Orders.TimestampColumn);
        new SchemaStore(lake.Checkpoint).Write(wider);
        Topic.Framed(0, 3, [1]);
        var poison = Topic.Produce(0, "poison");
        Replay(0, poison, TestTopic.Row(2)[..^1] + ",\"note\":\"n\"}", fingerprint: wider.Fingerprint);
        Topic.Produce(0, TestTopic.Row(3));
        await lake.StoreAsync(Topic.All);
        Assert.Equal([(1, 3), (2, 3), (3, 3)], await lake.VersionsAsync());
    }

    [Fact]
    public async Task anothers_mark_is_a_header_like_any_other()
    {
        Topic.Framed(0, 3, [1]);
        var poison = Topic.Produce(0, "poison");
        var copied = new ReplayOf(new RecordPlace(0, 0, poison.Offset), 3).ToHeader("another");
        Topic.Produce(0, TestTopic.Row(2), [new(StreamHeader.Replay, copied)]);
        await lake.StoreAsync(Topic.All);
        Assert.Single(Waiting());
        Assert.Equal([(1, 3), (2, 3)], await lake.VersionsAsync());
    }

    private StreamRecord Replay(int partition, StreamRecord of, string value, long version = 3, string? fingerprint = null) =>
        Topic.Produce(partition, value,
        [
            TestTopic.Header(StreamHeader.Schema, fingerprint ?? TestTopic.Orders.Fingerprint),
            new(StreamHeader.Replay, new ReplayOf(new RecordPlace(of.Partition, 0, of.Offset), version).ToHeader("orders")),
        ], key: Encoding.UTF8.GetString(of.Key!));

    private List<QuarantinedRecord> Waiting()
    {
        var files = new LakeFolder(lake.Root);
        return [.. QuarantinedRecord.Waiting(files, "orders", ReplayMarks.By(files, "orders"))];
    }
}
