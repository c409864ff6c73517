using Microsoft.Extensions.Logging;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;

namespace OrdersStream.Store;

/// <summary>
/// A consumer group shares partitions among those who write one lake. Where others in it write another, each of both lakes lacks what the
/// other gets, and neither is told by its own records (invariant 10). So each member's client id names its lake, and the group is looked at
/// beside the reading, whenever partitions come or go.
/// </summary>
internal sealed class GroupWatch(
    Func<CancellationToken, Task<IReadOnlyList<GroupMember>>>? ask, string group, TimeProvider time, ILogger logger)
{
    /// <summary>Between two looks.</summary>
    internal static readonly TimeSpan Least = TimeSpan.FromSeconds(1);

    private const string Prefix = "orders-stream-lake-";

    private Task<IReadOnlyList<GroupMember>>? answer;
    private bool isDue;
    private long? askedAt;
    private string? told;

    /// <summary>What a member calls itself; null where the lake is of an earlier version, and has no id.</summary>
    public static string? ClientIdOf(string? lakeId) => lakeId is null ? null : Prefix + lakeId;

    /// <summary>To be called as often as one likes.</summary>
    /// <param name="lakeId">This lake's.</param>
    /// <param name="hasMoved">Partitions came or went since the last call.</param>
    /// <param name="cancellationToken">Ends the asking.</param>
    public void Look(string? lakeId, bool hasMoved, CancellationToken cancellationToken)
    {
        if (ask is null || ClientIdOf(lakeId) is not { } own) return;
        isDue |= hasMoved;
        if (answer is { IsCompleted: true }) Take(answer, own);
        if (answer is not null || !isDue || (askedAt is { } asked && time.GetElapsedTime(asked) < Least)) return;
        (isDue, askedAt, answer) = (false, time.GetTimestamp(), ask(cancellationToken));
    }

    private void Take(Task<IReadOnlyList<GroupMember>> done, string own)
    {
        answer = null;
        if (!done.IsCompletedSuccessfully)
        {
            // They are away, or do not let us ask: others say so.
            _ = done.Exception;
            return;
        }
        var other = done.Result.FirstOrDefault(m => m.ClientId.StartsWith(Prefix, StringComparison.Ordinal) && m.ClientId != own);
        if (other is not null && other.ClientId != told)
            logger.GroupShared(group, other.Host, other.ClientId[Prefix.Length..], own[Prefix.Length..]);
        told = other?.ClientId;
    }
}
