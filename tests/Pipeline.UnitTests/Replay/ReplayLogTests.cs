using OrdersStream.Kafka;
using OrdersStream.Lake.Files;
using OrdersStream.Replay;
using OrdersStream.Rows;

namespace OrdersStream.UnitTests.Replay;

/// <summary>A record that is sent again has one content, whoever sends it, and however many want to.</summary>
public sealed class ReplayLogTests : IDisposable
{
    private readonly TempFolder folder = new();
    private readonly HashSet<RecordPlace> replayed = [];

    public void Dispose() => folder.Dispose();

    [Fact]
    public void what_is_to_be_sent_is_read_back_as_it_was()
    {
        var (log, _) = Open();
        Assert.True(log.TryAppend([Record(1), Record(2)]));
        var (next, under) = Open();
        Assert.Equal([1, 2], under.Keys.Select(p => p.Offset).Order());
        var read = next.Read(under[Place(1)])[0];
        Assert.Equal((Place(1), 3, 7L, "0123456789abcdef"), (read.Place, read.Partition, read.Version, read.Fingerprint));
        Assert.Equal([1, 0xff], read.Value);
        Assert.Equal(("trace", null), (Assert.Single(read.Headers).Name, read.Headers[0].Value));
    }

    [Fact]
    public void of_two_who_replay_at_once_one_reads_again_what_the_other_sends()
    {
        var (first, _) = Open();
        var (second, _) = Open();
        Assert.True(first.TryAppend([Record(1)]));
        Assert.False(second.TryAppend([Record(1)]));
        Assert.Contains(Place(1), Open().Under);
    }

    /// <summary>Else one who slept since would take a number for free that was used.</summary>
    [Fact]
    public void what_came_again_is_forgotten_and_its_number_is_not()
    {
        var (sleeper, _) = Open();
        Assert.True(Open().Log.TryAppend([Record(1)]));
        Assert.True(Open().Log.TryAppend([Record(2)]));
        replayed.UnionWith([Place(1), Place(2)]);
        Open();
        Assert.Single(new LakeFolder(folder.Path).List("replays"));
        Assert.False(sleeper.TryAppend([Record(1)]));
        Assert.Single(new LakeFolder(folder.Path).List("replays"));
        Assert.True(Open().Log.TryAppend([Record(3)]));
        Assert.Equal([3], Open().Under.Keys.Select(p => p.Offset).Except([2]));
    }

    private (ReplayLog Log, Dictionary<RecordPlace, long> Under) Open()
    {
        var log = new ReplayLog(new LakeFolder(folder.Path), "orders");
        return (log, log.Open(() => replayed, out _));
    }

    private static RecordPlace Place(long offset) => new(0, 0, offset);

    private static OutgoingReplay Record(long offset) =>
        new(Place(offset), 3, 7, "0123456789abcdef", [1], [1, 0xff], [new StreamHeader("trace", null)]);
}
