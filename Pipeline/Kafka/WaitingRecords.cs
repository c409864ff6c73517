using System.Collections.Concurrent;

namespace OrdersStream.Kafka;

/// <summary>
/// Which record waits between a position and the end of its partition: there may be only offsets that nobody has to store, what an
/// aborted transaction wrote and the markers. What was found once is not asked again.
/// </summary>
public sealed class WaitingRecords(TopicReader topic)
{
    private readonly ConcurrentDictionary<int, Found> known = [];

    /// <param name="partition">The partition.</param>
    /// <param name="next">The position.</param>
    /// <param name="end">The end of what is committed.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<bool> AreThereAsync(int partition, long next, long end, CancellationToken cancellationToken) =>
        (await FirstAsync([new OffsetRange(partition, next, end)], cancellationToken))[partition] is not null;

    /// <summary>The first one of each range; null: none waits there.</summary>
    /// <param name="ranges">From the position to the end of what is committed; one of each partition at the most.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<IReadOnlyDictionary<int, FirstRecord?>> FirstAsync(
        IReadOnlyList<OffsetRange> ranges, CancellationToken cancellationToken)
    {
        var asked = ranges.Where(r => !(known.TryGetValue(r.Partition, out var found) && found.Tells(r))).ToList();
        var answers = await topic.FirstRecordsAsync(asked, cancellationToken);
        foreach (var range in asked) known[range.Partition] = new Found(range, answers[range.Partition]);
        return ranges.ToDictionary(r => r.Partition, r => known[r.Partition].First);
    }

    /// <param name="In">Where it was looked for.</param>
    /// <param name="First">The first record there; null: none.</param>
    private sealed record Found(OffsetRange In, FirstRecord? First)
    {
        public bool Tells(OffsetRange range) => In.From <= range.From
            && (First is { } first ? range.From <= first.Offset && first.Offset < range.To : range.To <= In.To);
    }
}
