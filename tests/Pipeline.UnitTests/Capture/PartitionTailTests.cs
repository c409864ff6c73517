using System.Collections.Immutable;
using System.Text;
using OrdersStream.Capture;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;
using OrdersStream.Postgres;
using OrdersStream.Rows;
using OrdersStream.UnitTests.Store;
using static OrdersStream.UnitTests.Store.FramedTopic;

namespace OrdersStream.UnitTests.Capture;

/// <summary>Capture finds at the topic's end what counts for who stores it, and nothing else (invariant 2).</summary>
public sealed class PartitionTailTests
{
    private const long First = 1L << 32, Second = 2L << 32;

    private static readonly HashSet<int> None = [];

    [Fact]
    public void a_page_behind_a_fence_does_not_count()
    {
        var tail = Read([.. Part(First + 1, "a", 3), [Fence(Second, "b")], .. Part(First + 2, "a", 3)]);
        Assert.Equal((First + 1, Second, "b"), (tail.Whole!.Page, tail.Decided, tail.Fence!.Publisher));
    }

    [Fact]
    public void what_was_known_before_makes_a_page_late() =>
        Assert.Null(Read([.. Part(First + 2, "a", 3)], known: Second + 7).Whole);

    [Fact]
    public void the_page_that_is_known_is_met_again() =>
        Assert.True(Read([Part(First + 2, "a", 3)[2]], known: First + 2).Has(First + 2));

    [Fact]
    public void of_two_fences_of_one_number_the_one_that_stands_first_counts()
    {
        var parts = new[] { Read([[Fence(Second, "b")], [Fence(Second, "c")]]), Read([[Fence(Second, "c")], [Fence(Second, "b")]]) };
        var tail = TopicTail.Sum(parts, [(0, 2), (0, 2)], None);
        Assert.False(tail.IsFencedBy("b", 2));
        Assert.False(tail.IsFencedBy("c", 2));
        Assert.True(tail.IsFencedBy("b", 1));
        Assert.Equal(Second, tail.NewestPage);
    }

    [Fact]
    public void a_page_that_a_fence_cuts_off_is_missing_there()
    {
        var whole = Read([.. Part(First + 1, "a", 3, 0, 0, 1), [Fence(Second, "b")]]);
        var cut = Read([.. Part(First + 1, "a", 3, 0, 0, 1)[..2], [Fence(Second, "b")], Part(First + 1, "a", 3, 0, 0, 1)[2]]);
        var tail = TopicTail.Sum([whole, cut], [(0, 4), (0, 4)], None);
        Assert.Equal((First + 1, 1), (tail.Torn!.Page, Assert.Single(tail.Torn.Missing)));
        Assert.Equal(Second, tail.NewestPage);
    }

    /// <summary>By the end alone it could not be told: the fence has moved it on.</summary>
    [Fact]
    public void an_end_that_was_lost_before_the_fence_came_is_noticed_by_where_the_fence_stands()
    {
        var cut = Read([.. Part(First + 1, "a", 3, 0), [Fence(Second, "b")]]);
        var tail = TopicTail.Sum([cut], [(0, 4)], None);
        var promised = ImmutableSortedDictionary<int, long>.Empty.Add(0, 4);
        Assert.Equal((0, 1L), (Assert.Single(tail.LostOf(promised, "b")).Key, tail.LostOf(promised, "b")[0]));
        Assert.Empty(tail.LostOf(promised.SetItem(0, 3), "b"));
        Assert.Empty(tail.LostOf(promised, "another"));
    }

    /// <summary>What was written over a lost end may reach further than it did; others' records may lie between.</summary>
    [Fact]
    public void a_known_page_that_is_there_no_more_was_lost_however_far_the_end_is()
    {
        StreamHeader[] stranger = [];
        StreamHeader[][] kept = [.. Part(1, "a", 2, 0), stranger, .. Part(2, "a", 2, 1), stranger, stranger];
        Assert.False(Behind(kept, from: 5, known: 2).HasLostKnown);
        Assert.False(Behind(kept, from: 3, known: 2).HasLostKnown);
        Assert.True(Behind([.. Part(1, "a", 2, 0), stranger, .. Part(7, "b", 3, 6)], from: 5, known: 2).HasLostKnown);
        Assert.True(Behind([stranger, .. Part(7, "b", 6, 6)], from: 5, known: 2).HasLostKnown);
        Assert.False(Behind([stranger, .. Part(7, "b", 6, 6)], from: 5, known: 2, low: 1).HasLostKnown);
        Assert.False(Behind([[Fence(Second, "b")], .. Part(First + 1, "a", 2, 0)], from: 3, known: Second).HasLostKnown);
        Assert.True(Behind([.. Part(First + 1, "a", 2, 0)[..1], [Fence(Second, "b")]], from: 2, known: First + 1).HasLostKnown);

        static PartitionTail Behind(StreamHeader[][] records, long from, long known, long low = 0) =>
            new SearchBehindPage(low, from, known).By(start => Read(records[(int)start..], known));
    }

    /// <summary>A torn page that is sent again has another number: where nothing of that is whole, the first is still torn.</summary>
    [Fact]
    public void a_torn_page_stays_torn_when_its_second_sending_is_begun()
    {
        var whole = Read([.. Part(First + 1, "a", 2, 0, 0, 1), [Fence(Second, "b")]]);
        var begun = Read([[Fence(Second, "b")], .. Part(Second + 1, "b", 3, 0, 1)[..2]]);
        var tail = TopicTail.Sum([whole, begun], [(0, 3), (0, 3)], None);
        Assert.Equal((First + 1, Second + 1), (tail.Torn!.Page, tail.NewestPage));
    }

    [Fact]
    public void a_stranger_in_a_page_stands_for_none_of_its_records() =>
        Assert.Null(Read([.. Part(First + 1, "a", 4)[..2], [], Part(First + 1, "a", 4)[3]]).Whole);

    [Fact]
    public void what_was_sent_behind_a_lost_end_is_no_position_to_go_back_to()
    {
        var whole = Read([.. Positioned(1, "a", 0), .. Positioned(2, "b", 1), .. Positioned(3, "b", 2)]);
        Assert.Equal((3, 3, true), (whole.Unbroken!.PageNumber, whole.Position!.PageNumber, whole.IsCertainOfLoss));

        var broken = Read([.. Positioned(1, "a", 0), .. Positioned(2, "b", 1), .. Positioned(5, "b", 4), .. Positioned(6, "b", 5)]);
        Assert.Equal((2, 6, true), (broken.Unbroken!.PageNumber, broken.Position!.PageNumber, broken.IsCertainOfLoss));

        // Where all is read that there ever was, the first page's word is enough.
        StreamHeader[][] first = [.. Positioned(5, "b", 4), .. Positioned(6, "b", 5)];
        Assert.Equal(6, Read(first).Unbroken!.PageNumber);
        Assert.Null(Read(first, isFromBeginning: true).Unbroken);
        Assert.Equal(5, Read([.. Positioned(5, "b", 0)], isFromBeginning: true).Unbroken!.PageNumber);

        // Of one publisher's pages alone it cannot be said: what it overlooked may lie further back.
        Assert.False(Read([.. Positioned(5, "b", 4), .. Positioned(6, "b", 5)]).IsCertainOfLoss);
    }

    /// <summary>A file that is older, or none, does not know that it was there; the newest page's position does.</summary>
    [Fact]
    public void a_page_that_the_newest_publisher_knew_is_looked_for_where_it_is_not_met()
    {
        var known = ImmutableSortedDictionary<int, long>.Empty.Add(0, 3).Add(1, 4);
        var newest = Read([.. Positioned(3, "a", 0), .. Positioned(5, "a", 3, known)]);
        var lost = Read([.. Positioned(2, "a", 0)]);

        Assert.Equal([(1, 4L)], TopicTail.KnownToTheNewest([newest, lost], Topic));
        Assert.Equal([(1, 4L)], TopicTail.KnownToTheNewest([newest, Read([.. Positioned(2, "a", 0), [Fence(Second, "b")]])], Topic));
        Assert.Empty(TopicTail.KnownToTheNewest([newest, Read([.. Positioned(2, "a", 0), .. Positioned(4, "a", 2)])], Topic));
        // What was sent over it says nothing of it.
        Assert.Equal([(1, 4L)], TopicTail.KnownToTheNewest([newest, Read([.. Positioned(2, "a", 0), .. Positioned(5, "a", 4)])], Topic));
        Assert.Empty(TopicTail.KnownToTheNewest([newest, lost], new TopicIdentity("", "another", null)));

        var tail = TopicTail.Sum([newest, lost], [(0, 4), (0, 2)], new HashSet<int> { 1 });
        var gone = tail.LostOf(ImmutableSortedDictionary<int, long>.Empty, "b");
        Assert.Equal((1, 1L), (Assert.Single(gone).Key, gone[1]));
        Assert.Equal(2, WatermarkRecovery.Decide(null, tail, gone).Watermark!.PageNumber);
    }

    /// <summary>
    /// A window that begins at an older horizon reads again what an earlier loss has cost. Another loss in the midst of it, in a partition
    /// that had no part in the first one, takes nothing of that back.
    /// </summary>
    [Fact]
    public void a_loss_while_an_earlier_one_is_captured_again_goes_no_less_far_back()
    {
        var (older, newer) = (Taken(1), Taken(2));
        var window = new OrdersStream.Postgres.Window(3, older, Taken(3), null, 1, new Cursor(null, ["7"]));
        var again = Sample(9) with { WindowNumber = 3, Window = window };
        var untouched = Sample(4) with { WindowNumber = 2, Horizon = newer };
        var lost = ImmutableDictionary<int, long>.Empty.Add(1, 1);

        var found = WatermarkRecovery.Decide(null, TailOf(again, untouched), lost).Watermark!;
        Assert.Equal((older, null), (found.Window!.From, found.Window.Cursor));
        Assert.Equal(older, WatermarkRecovery.Decide(again, TailOf(untouched, untouched), lost).Watermark!.Window!.From);

        // An ordinary window goes on from there: what the partition knew is before it.
        var next = again with { Window = window with { From = newer } };
        Assert.Same(untouched, WatermarkRecovery.Decide(null, TailOf(next, untouched), lost).Watermark);

        static OrdersStream.Postgres.Horizon Taken(int hour) =>
            Postgres.Horizons.At(100 + (ulong)hour, 110, DateTime.UnixEpoch);

        static TailPosition TailOf(Watermark newest, Watermark inPartition) => new(
            newest, newest.PageNumber, null, new Dictionary<int, long>(), new Dictionary<int, long>(),
            new Dictionary<int, Watermark> { [1] = inPartition }, new Dictionary<int, FoundFence>(), new HashSet<int> { 1 });
    }

    /// <summary>Its successor's position went with the end of another partition; its own is there, and says where it had records.</summary>
    [Fact]
    public void a_page_that_has_a_successor_is_looked_for_in_all_of_its_partitions()
    {
        var part = Part(4, "a", 2, 3, 0, 1);
        StreamHeader[][] page = [part[0], [.. part[1], new(StreamHeader.Position, (Sample(4) with { Pages = null }).ToPosition())]];
        var newest = Read([.. page, .. Part(5, "a", 2, 4, 0, 1)]);
        var lost = Read([.. Positioned(2, "a", 0)]);

        Assert.Equal([(1, 4L)], TopicTail.KnownToTheNewest([newest, lost], Topic));
        Assert.Empty(TopicTail.KnownToTheNewest([newest, Read([.. Positioned(2, "a", 0), .. Part(4, "a", 2, 2, 0, 1)])], Topic));
        // Without one it may be torn, and is sent again.
        Assert.Empty(TopicTail.KnownToTheNewest([Read(page), lost], Topic));
    }

    /// <summary>Its publisher died in it: its position is none to go on from, though nothing is missing before it.</summary>
    [Fact]
    public void a_page_that_is_torn_where_an_end_was_lost_is_read_again_from_its_beginning()
    {
        var at = new Cursor(null, ["7"]);
        var horizon = Postgres.Horizons.At(110, 110, DateTime.UnixEpoch);
        var position = Sample(4) with { WindowNumber = 1, Window = new(1, null, horizon, null, 1, at), Pages = null };
        var part = Part(4, "a", 2, 3, 0, 1);
        var whole = Read([part[0], [.. part[1], new(StreamHeader.Position, position.ToPosition())]]);
        var lost = ImmutableDictionary<int, long>.Empty.Add(0, 1);

        var torn = TopicTail.Sum([whole, Read([.. Positioned(2, "a", 0)])], [(0, 2), (0, 2)], None);
        Assert.Equal([1], torn.Torn!.Missing);
        Assert.Null(torn.Torn.Before);
        Assert.Null(WatermarkRecovery.Decide(null, torn, lost).Watermark!.Window!.Cursor);

        var acknowledged = TopicTail.Sum([whole, Read([.. Part(4, "a", 2, 2, 0, 1)])], [(0, 2), (0, 2)], None);
        Assert.Equal(at.Key, WatermarkRecovery.Decide(null, acknowledged, lost).Watermark!.Window!.Cursor!.Key);
    }

    [Fact]
    public void a_page_of_deletes_that_is_torn_where_an_end_was_lost_is_read_again_as_deletes()
    {
        var window = new OrdersStream.Postgres.Window(1, null, Postgres.Horizons.At(110, 110, DateTime.UnixEpoch), null, 1, null)
        {
            Deleted = new Cursor("17", ["7"]),
        };
        var position = Sample(4) with { WindowNumber = 1, Window = window, Pages = null };
        var part = Part(4, "a", 2, 3, 0, 1);
        var whole = Read([part[0], [.. part[1], new(StreamHeader.Position, position.ToPosition())]]);
        var torn = TopicTail.Sum([whole, Read([.. Positioned(2, "a", 0)])], [(0, 2), (0, 2)], None);

        var again = WatermarkRecovery.Decide(null, torn, ImmutableDictionary<int, long>.Empty.Add(0, 1)).Watermark!.Window!;
        Assert.Null(again.Deleted);
        Assert.Null(again.Cursor);
    }

    [Fact]
    public void what_is_not_this_streams_or_cannot_be_is_passed_over()
    {
        StreamHeader[][] strangers =
        [
            [Position("x")], [Position("{}")], [Position("{\"version\":9,\"stream\":\"other\"}")],
            [new(StreamHeader.Position, (Sample(7) with { Topic = new("", "other", null), PageNumber = 0 }).ToPosition())],
            [Frame("{\"version\":3}")], [Frame("{\"version\":3,\"stream\":\"other\"}")], [Frame("{\"version\":3,\"stream\":7}")],
            .. Part(1L << 53, "x", 2), [Fence(1L << 60, "x")], .. Part(long.MaxValue, "x", 1),
        ];
        foreach (var stranger in strangers)
        {
            var tail = Read([.. Positioned(1, "a", 0), stranger, .. Positioned(2, "a", 1)]);
            Assert.Equal((2, 2, 2), (tail.Decided, tail.Position!.PageNumber, tail.Unbroken!.PageNumber));
        }
    }

    /// <summary>It may be a newer program's, of which nothing is to be passed over.</summary>
    [Fact]
    public void a_later_version_of_this_stream_stops()
    {
        Assert.Throws<FormatException>(() => Read([[Frame("{\"version\":4,\"stream\":\"orders\"}")]]));
        var part = Part(2, "a", 2, 1);
        Assert.Throws<FormatException>(() => Read([part[0], [.. part[1], Position("{\"version\":9}")]]));
    }

    [Fact]
    public void nothing_is_numbered_by_a_clock_beyond_all_numbers_of_pages()
    {
        Assert.True(PageFence.IsNumber(WatermarkRecovery.LeastNumber(new(2036, 12, 1, 0, 0, 0, TimeSpan.Zero))));
        var failure = Assert.Throws<PipelineException>(
            () => WatermarkRecovery.LeastNumber(new(2037, 2, 1, 0, 0, 0, TimeSpan.Zero)));
        Assert.Equal(FailureAction.Stop, failure.Action);
    }

    private static StreamHeader Position(string text) => new(StreamHeader.Position, Encoding.UTF8.GetBytes(text));

    private static StreamHeader Frame(string text) => new(StreamHeader.Page, Encoding.UTF8.GetBytes(text));

    private static Watermark Sample(long page) =>
        Watermark.Start(new SourceIdentity("1", "1", "food", "public.orders", 1), Topic) with { PageNumber = page };

    private static TopicIdentity Topic { get; } = new("", "orders", null);

    private static StreamHeader[][] Positioned(
        long page, string publisher, long previous, ImmutableSortedDictionary<int, long>? pages = null)
    {
        var position = Sample(page) with { Pages = pages };
        var part = Part(page, publisher, 2, previous);
        return [part[0], [.. part[1], new StreamHeader(StreamHeader.Position, position.ToPosition())]];
    }

    private static PartitionTail Read(IEnumerable<StreamHeader[]> records, long known = 0, bool isFromBeginning = false)
    {
        var tail = new PartitionTail("orders", known, isFromBeginning);
        foreach (var (headers, offset) in records.Select((h, i) => (h, i)))
            tail.Take(new StreamRecord(0, offset, [1], [2], 0, headers.Length == 0 ? null : headers));
        return tail;
    }
}
