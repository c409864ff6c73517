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
    private readonly ImmutableSortedDictionary<int, long> rows;

    private LoggedVersions(ImmutableSortedDictionary<int, long> rows) => this.rows = rows;

    /// <summary>
    /// Those of now. Of a partition where a human has said that files were removed on purpose, nothing is told: the log goes on counting
    /// what they held, and the entry that says how much that was is pruned.
    /// </summary>
    /// <param name="checkpoint">Where the commit log lies.</param>
    /// <param name="topic">Whose it is.</param>
    public static LoggedVersions Read(ILakeFiles checkpoint, string topic)
    {
        if (TopicCommits.Find(checkpoint, topic) is not { } commits) return new(ImmutableSortedDictionary<int, long>.Empty);
        return new(commits.NewestEntries()
            .Where(e => !commits.LogOf(e.Partition, TimeProvider.System, CrashPoints.None).AcceptsAnyMissing)
            .ToImmutableSortedDictionary(e => e.Partition, e => e.State.Rows));
    }

    /// <summary>Versions that are nowhere in the lake: files of it are gone. What came since it was read is none of them.</summary>
    public long NotIn(LakeIndex index) => rows.Sum(p => Math.Max(0, p.Value - index.VersionsOf(p.Key)));
}
