using OrdersStream.Kafka;

namespace OrdersStream.UnitTests.Store;

/// <summary>Another producer says of its records what it likes: none of it stops those of the stream.</summary>
public sealed class ForeignHeadersTests : IDisposable
{
    private readonly TestLake lake = new();
    private TestTopic Topic => lake.Topic;

    public void Dispose() => lake.Dispose();

    /// <summary>A schema registry's fingerprint looks like one of ours.</summary>
    [Theory, InlineData(true), InlineData(false)]
    public async Task a_schema_that_nobody_here_knows_is_another_producers_word(bool isRow)
    {
        Topic.Framed(0, 1, [1]);
        Topic.Produce(
            0, isRow ? TestTopic.Row(9) : "binary", [TestTopic.Header(StreamHeader.Schema, "0123456789abcdef")]);
        Topic.Produce(0, TestTopic.Row(7));
        Topic.Framed(0, 2, [2], previous: 1);

        await lake.StoreAsync(Topic.All);

        long[] expected = isRow ? [1, 2, 7, 9] : [1, 2, 7];
        Assert.Equal(expected, (await lake.VersionsAsync()).Select(v => v.Id).Order());
        Assert.Equal(isRow ? 0 : 1, lake.Quarantined().Count());
    }

    /// <summary>Microseconds, nanoseconds, none, and one of before 1970.</summary>
    [Theory]
    [InlineData(1_760_000_000_000_000)]
    [InlineData(1_760_000_000_000_000_000)]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(long.MinValue)]
    public async Task a_time_that_is_no_date_ends_nothing(long timestampMs)
    {
        Topic.Framed(0, 1, [1]);
        var record = Topic.Produce(0, "no row");
        Topic.Compact(0, record.Offset);
        Topic.Add(record with { TimestampMs = timestampMs }, markerFollows: false);

        await lake.StoreAsync(Topic.All.Where(r => r.Offset < record.Offset).ToList());
        await lake.StoreAsync(Topic.All);

        Assert.Single(lake.Quarantined());
        Assert.Null(RecordTime.Of(timestampMs));
    }
}
