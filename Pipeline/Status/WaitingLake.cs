using System.Collections.Immutable;

namespace OrdersStream.Status;

/// <summary>
/// For how long records have waited for the lake at least, while nobody can tell what waits: those that did when it last could be told wait
/// on as long as the lake stands where it stood.
/// </summary>
internal sealed class WaitingLake
{
    private (DateTimeOffset Since, ImmutableArray<PartitionStatus> In)? last;

    /// <returns>Seconds; null: it can be told, or nothing is known of any that wait.</returns>
    public double? AtLeast(Backlog backlog, ImmutableArray<PartitionStatus> partitions, DateTimeOffset now)
    {
        if (backlog.Waits is false) last = null;
        if (backlog is { Waits: true, Seconds: { } seconds })
            last = (now - TimeSpan.FromSeconds(seconds), [.. partitions.Where(p => p.Lag > 0)]);
        if (backlog is { Waits: false } or { Seconds: not null } || last is not { } known) return null;
        var stands = known.In.All(before => before.Next == partitions.FirstOrDefault(p => p.Partition == before.Partition)?.Next);
        return stands ? (now - known.Since).TotalSeconds : null;
    }
}
