using System.Collections.Immutable;
using OrdersStream.Durable;
using OrdersStream.Lake;
using OrdersStream.Lake.Files;

namespace OrdersStream.Audit;

/// <summary>
/// Row versions that the commit log counts, by partition: each of them is in the lake's files, also one that a newer version of its row
/// supersedes, of which the table tells nothing.
/// </summary>
internal sealed class LoggedVersions
{
    private readonly ImmutableSortedDictionary<int, PartitionState> states;

    private LoggedVersions(ImmutableSortedDictionary<int, PartitionState> states) => this.states = states;

    /// <summary>Nothing is counted.</summary>
    public static LoggedVersions None { get; } = new(ImmutableSortedDictionary<int, PartitionState>.Empty);

    /// <summary>
    /// Those of now. Of a partition where a human has said that files were removed on purpose, nothing is told: the log goes on counting
    /// what they held, and the entry that says how much that was is pruned.
    /// </summary>
    /// <param name="checkpoint">Where the commit log lies.</param>
    /// <param name="topic">Whose it is.</param>
    public static LoggedVersions Read(ILakeFiles checkpoint, string topic)
    {
        if (TopicCommits.Find(checkpoint, topic) is not { } commits) return None;
        return new(commits.NewestEntries()
            .Where(e => !commits.LogOf(e.Partition, TimeProvider.System, CrashPoints.None).AcceptsAnyMissing)
            .ToImmutableSortedDictionary(e => e.Partition, e => e.State));
    }

    /// <summary>
    /// It is among those that were counted: what came since must not stand for one that is gone. A file by a name of its own is a copy of
    /// one that does not say of which generation it is, and nothing that came brings one.
    /// </summary>
    /// <param name="partition">Partition of the topic.</param>
    /// <param name="generation">That of its file; null: it has a name of its own.</param>
    /// <param name="offset">Its offset.</param>
    public bool Counts(int partition, int? generation, long offset) => states.TryGetValue(partition, out var state)
        && (generation is not { } own || (own, offset).CompareTo((state.Generation, state.NextOffset)) < 0);

    /// <summary>Versions that are nowhere in the lake: files of it are gone.</summary>
    /// <param name="found">Of those that it counts, how many different ones of each partition are in the lake.</param>
    public long NotIn(IReadOnlyDictionary<int, long> found) =>
        states.Sum(p => Math.Max(0, p.Value.Rows - found.GetValueOrDefault(p.Key)));
}
