using OrdersStream.Kafka;
using OrdersStream.Store;

namespace OrdersStream.UnitTests.Store;

/// <summary>Whoever else reads in the consumer group for another lake is told (invariant 10).</summary>
public sealed class GroupWatchTests
{
    private const int GroupShared = 3021;

    private static readonly GroupMember Own = Member("aa"), Other = Member("bb"), Stranger = new("consumer-1", "/10.0.0.9");

    private readonly TestLog log = new();
    private readonly TestTime time = new();

    [Fact]
    public void a_member_that_writes_another_lake_is_told_once_until_it_is_gone()
    {
        Task<IReadOnlyList<GroupMember>> answer = Members(Own, Stranger, Own);
        var watch = new GroupWatch(_ => answer, "group", time, log);
        Look(hasMoved: true);
        Assert.Equal(0, Told());

        answer = Members(Own, Other);
        Look(hasMoved: false);
        Assert.Equal(0, Told());
        Look(hasMoved: true);
        Look(hasMoved: true);
        Assert.Equal(1, Told());

        answer = Task.FromException<IReadOnlyList<GroupMember>>(new InvalidOperationException("away"));
        Look(hasMoved: true);
        answer = Members(Own);
        Look(hasMoved: true);
        answer = Members(Other, Own);
        Look(hasMoved: true);
        Assert.Equal(2, Told());

        // The first call asks, the second takes the answer.
        void Look(bool hasMoved)
        {
            time.Advance(GroupWatch.Least);
            watch.Look("aa", hasMoved, CancellationToken.None);
            watch.Look("aa", hasMoved: false, CancellationToken.None);
        }
    }

    private int Told() => log.Lines.Count(line => line.Id == GroupShared);

    private static GroupMember Member(string lake) => new(GroupWatch.ClientIdOf(lake)!, "/10.0.0.1");

    private static Task<IReadOnlyList<GroupMember>> Members(params GroupMember[] members) =>
        Task.FromResult<IReadOnlyList<GroupMember>>(members);
}
