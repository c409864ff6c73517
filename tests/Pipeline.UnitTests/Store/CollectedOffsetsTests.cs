using CsCheck;
using OrdersStream.Store;

namespace OrdersStream.UnitTests.Store;

public sealed class CollectedOffsetsTests
{
    private static readonly Dictionary<int, long> Nothing = [];

    [Fact]
    public void a_partition_that_gives_records_is_behind_until_its_end_is_seen()
    {
        var collected = new CollectedOffsets(null);
        Assert.False(collected.IsBehind);
        collected.Added(0, 10);
        collected.Added(1, 7);
        Assert.True(collected.IsBehind);
        collected.EndReached(0, 11);
        Assert.True(collected.IsBehind);
        collected.EndReached(1, 8);
        Assert.False(collected.IsBehind);
        collected.Added(1, 8);
        Assert.True(collected.IsBehind);
    }

    /// <summary>A drain would wait for it for ever.</summary>
    [Fact]
    public void an_end_that_the_brokers_lost_is_told_from_one_that_is_not_seen_yet()
    {
        var collected = new CollectedOffsets(new Dictionary<int, long> { [0] = 100 });
        collected.EndReached(0, 90);
        Assert.Equal(100, collected.EndThatIsLost(0, 90));
        Assert.Null(collected.EndThatIsLost(0, 100));
        Assert.Null(collected.EndThatIsLost(0, -1001));
        Assert.Null(collected.EndThatIsLost(1, 5));
        collected.EndReached(0, 100);
        Assert.Null(collected.EndThatIsLost(0, 90));
        Assert.Null(new CollectedOffsets(null).EndThatIsLost(0, 5));
    }

    [Fact]
    public void the_end_of_a_partition_counts_what_lies_behind_its_last_record()
    {
        var collected = new CollectedOffsets(new Dictionary<int, long> { [0] = 12, [1] = 0 });
        collected.Added(0, 10);
        Assert.False(collected.ReachedEnds);
        collected.EndReached(0, 12);
        Assert.True(collected.ReachedEnds);
        Assert.Equal([(0, 12L)], collected.Positions);
    }

    [Fact]
    public void a_partition_that_was_not_read_has_not_reached_its_end_and_without_ends_none_has()
    {
        Assert.False(new CollectedOffsets(new Dictionary<int, long> { [0] = 1 }).ReachedEnds);
        Assert.True(new CollectedOffsets(new Dictionary<int, long> { [0] = 0 }).ReachedEnds);
        Assert.False(new CollectedOffsets(null).ReachedEnds);
    }

    [Fact]
    public void a_partition_that_another_instance_stored_is_read_on_from_where_that_one_ended()
    {
        var collected = new CollectedOffsets(new Dictionary<int, long> { [0] = 20 });
        collected.Added(0, 19);
        Assert.True(collected.ReachedEnds);
        collected.Committed(new Dictionary<int, long> { [0] = 15 });
        Assert.False(collected.ReachedEnds);
        Assert.Equal((0, false), (collected.Records, collected.IsBehind));
        Assert.Equal([(0, 15L)], collected.Positions);
    }

    [Fact]
    public void whatever_the_order_it_counts_each_record_since_the_commit_and_remembers_the_next_offset() =>
        Gen.Select(Gen.Int[0, 3], Gen.Int[1, 3]).List[1, 60].Sample(steps =>
        {
            var collected = new CollectedOffsets(null);
            var next = new Dictionary<int, long>();
            var records = 0;
            foreach (var (partition, gap) in steps)
            {
                var offset = next.GetValueOrDefault(partition) + gap;
                collected.Added(partition, offset);
                next[partition] = offset + 1;
                if (++records % 7 == 0)
                {
                    collected.Committed(Nothing);
                    records = 0;
                }
            }
            return collected.Records == records && collected.Positions.Order().SequenceEqual(next.Select(p => (p.Key, p.Value)).Order());
        });
}
