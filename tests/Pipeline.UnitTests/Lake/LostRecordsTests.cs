using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.Lake.Files;

namespace OrdersStream.UnitTests.Lake;

/// <summary>Whether storing would stop at once is told by who does not store, in its words.</summary>
public sealed class LostRecordsTests : IDisposable
{
    private static readonly TopicIdentity Topic = new("", "orders", "AAAA1111");

    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    /// <summary>A transaction's marker, at 10, holds no record.</summary>
    [Theory]
    [InlineData(10, false, false)]
    [InlineData(11, false, true)]
    [InlineData(10, true, false)]
    [InlineData(11, true, false)]
    [InlineData(12, true, true)]
    public void what_kafka_took_before_it_was_stored_is_told_until_it_is_accepted(long low, bool pageEnded, bool isLost)
    {
        var commits = TopicCommits.Open(new LakeFolder(folder.Path, CrashPoints.None), Topic);
        var log = commits.LogOf(1, TimeProvider.System, CrashPoints.None);
        Assert.True(log.TryAppend(new CommitEntry(
            1, "writer", default, Topic, 1, 0, 10, [], [], PartitionState.Empty with { NextOffset = 10, PageEnded = pageEnded })));
        // Of partition 0 nothing was stored.
        TopicPartitionEnds[] ends = [new(0, 50, 60), new(1, low, 60)];

        if (!isLost)
        {
            LostRecords.Check(commits, ends);
            return;
        }
        var next = pageEnded ? 11 : 10;
        var lost = Assert.Throws<PipelineException>(() => LostRecords.Check(commits, ends));
        Assert.StartsWith($"Kafka no longer has 1 offsets of topic 'orders', partition 1: the lake has all below {next},", lost.Problem);
        Assert.False(log.AcceptsLoss(next, out var markerPath));
        Assert.Contains($"'{markerPath}'", lost.Remedy);
        File.WriteAllText(markerPath, "");
        LostRecords.Check(commits, ends);
    }
}
