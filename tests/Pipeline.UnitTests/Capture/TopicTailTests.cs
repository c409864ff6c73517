using System.Collections.Immutable;
using System.Text;
using OrdersStream.Capture;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;
using OrdersStream.Rows;

namespace OrdersStream.UnitTests.Capture;

/// <summary>What the ends of the partitions tell of the newest page.</summary>
public sealed class TopicTailTests
{
    private static readonly TableSchema Schema = new(
        [
            new Column("id", new ColumnType(ColumnKind.BigInt, "bigint"), false),
            new Column("updated_at", new ColumnType(ColumnKind.TimestampTz, "timestamp with time zone"), false),
        ], [0], 1);

    private static readonly Cursor Before = new("2026-01-01", ["7"]);

    /// <summary>What was there at the first look is waited for, and no more.</summary>
    [Fact]
    public async Task another_producers_transactions_back_to_back_do_not_hide_the_end_for_ever()
    {
        var (time, end) = (new TestTime(), 100L);
        var kept = await TopicTail.VisibleEndsAsync(
            () => Task.FromResult<IReadOnlyList<long>>([end, 7]),
            () =>
            {
                time.Advance(TimeSpan.FromSeconds(1));
                end += 10;
                return Task.FromResult<IReadOnlyList<(long, long)>>([(0, end - 15), (0, 7)]);
            },
            "orders", time, CancellationToken.None);
        Assert.Equal([(0, 105), (0, 7)], kept);
    }

    [Fact]
    public async Task one_that_stays_open_is_named_and_waited_for_later()
    {
        var time = new TestTime();
        var e = await Assert.ThrowsAsync<PipelineException>(() => TopicTail.VisibleEndsAsync(
            () => Task.FromResult<IReadOnlyList<long>>([7, 100]),
            () =>
            {
                time.Advance(TimeSpan.FromSeconds(1));
                return Task.FromResult<IReadOnlyList<(long, long)>>([(0, 7), (0, 90)]);
            },
            "orders", time, CancellationToken.None));
        Assert.Equal(FailureAction.Retry, e.Action);
        Assert.Contains("A transaction is open in topic 'orders', partition 1, since offset 90", e.Problem, StringComparison.Ordinal);
    }

    /// <summary>Its rows are to be found by the number of partitions that it was sent with, not by the one of today.</summary>
    [Fact]
    public void a_page_torn_while_the_topic_grew_is_missing_where_it_was_sent_and_nowhere_else()
    {
        PartitionTail[] parts = [Tail(0, isWhole: true), Tail(1, isWhole: false), Tail(null), Tail(3, isWhole: true), .. NewPartitions(4)];

        var torn = Sum(parts).Torn;

        Assert.NotNull(torn);
        Assert.Equal((9L, 4), (torn.Page, torn.Of));
        Assert.Equal([0, 1, 3], torn.Partitions);
        Assert.Equal([1], torn.Missing);
        Assert.Equal(Before.Key, torn.Before!.Key);
    }

    /// <summary>An answer of a broker that has not heard of the new partitions.</summary>
    [Fact]
    public void a_page_whose_partitions_are_not_all_known_is_missing_there()
    {
        PartitionTail[] parts = [Tail(0, isWhole: true), Tail(1, isWhole: true)];
        Assert.Equal([3], Sum(parts).Torn!.Missing);
    }

    [Fact]
    public void a_page_that_is_whole_where_it_was_sent_is_not_torn_by_partitions_that_are_new()
    {
        PartitionTail[] parts = [Tail(0, isWhole: true), Tail(1, isWhole: true), Tail(null), Tail(3, isWhole: true), .. NewPartitions(4)];
        Assert.Null(Sum(parts).Torn);
    }

    [Fact]
    public void a_topic_is_another_with_more_partitions_or_a_lost_end_and_not_with_more_records()
    {
        var promised = ImmutableSortedDictionary<int, long>.Empty.Add(0, 10).Add(1, 20);
        Assert.False(TopicChange.IsAnother([10, 25], 2, promised));
        Assert.True(TopicChange.IsAnother([10, 20, 0], 2, promised));
        Assert.True(TopicChange.IsAnother([9, 20], 2, promised));
        Assert.False(TopicChange.IsAnother([10], 2, promised));
    }

    private static TailPosition Sum(PartitionTail[] parts) => TopicTail.Sum(parts, [.. parts.Select(_ => (0L, 2L))], new HashSet<int>());

    private static PartitionTail[] NewPartitions(int count) => [.. Enumerable.Range(0, count).Select(_ => Tail(null))];

    private static PartitionTail Tail(int? partition, bool isWhole = false)
    {
        var tail = new PartitionTail("orders");
        if (partition is not { } p) return tail;
        var frame = new PageFrame("orders", 9, "abc", [0, 1, 3], 4, Before, false, Schema);
        tail.Take(Record(p, 0, new StreamHeader(StreamHeader.Page, frame.Start(2, 8))));
        if (isWhole) tail.Take(Record(p, 1, new StreamHeader(StreamHeader.PageEnd, frame.End(2))));
        return tail;
    }

    private static StreamRecord Record(int partition, long offset, StreamHeader header) =>
        new(partition, offset, "1"u8.ToArray(), Encoding.UTF8.GetBytes("{}"), 0, [header]);
}
