using System.Collections.ObjectModel;

namespace OrdersStream.Store;

/// <summary>What a consumer has read, and how far: its own arithmetic, without client or lake.</summary>
/// <param name="ends">Where reading ends, by partition; null: nowhere.</param>
internal sealed class CollectedOffsets(IReadOnlyDictionary<int, long>? ends)
{
    private readonly Dictionary<int, long> positions = [];
    private readonly HashSet<int> behind = [];
    private int reading = -1;

    /// <summary>Records since the last commit.</summary>
    public long Records { get; private set; }

    /// <summary>Some partition has given records since its end was last seen: more is waiting there.</summary>
    public bool IsBehind => behind.Count > 0;

    /// <summary>Every partition was read to where reading ends.</summary>
    public bool ReachedEnds => ends is not null && !Unread.Any();

    /// <summary>Partitions that were not read yet to where reading ends.</summary>
    public IEnumerable<int> Unread => (ends ?? ReadOnlyDictionary<int, long>.Empty)
        .Where(e => e.Value > 0 && !(positions.TryGetValue(e.Key, out var position) && position >= e.Value)).Select(e => e.Key);

    /// <summary>The next offset of each partition that gave its last record before its end was seen.</summary>
    public IEnumerable<(int Partition, long Next)> AtEnds => Positions.Where(p => !behind.Contains(p.Partition));

    /// <summary>The next offset of each partition that was read.</summary>
    public IEnumerable<(int Partition, long Next)> Positions => positions.Select(p => (p.Key, p.Value));

    public void Added(int partition, long offset)
    {
        Records++;
        positions[partition] = offset + 1;
        if (reading != partition) behind.Add(reading = partition);
    }

    /// <summary>
    /// Behind the last record there may be transaction markers: only the end of the partition shows that nothing else is.
    /// </summary>
    public void EndReached(int partition, long offset)
    {
        positions[partition] = Math.Max(offset, positions.GetValueOrDefault(partition));
        behind.Remove(partition);
        reading = -1;
    }

    /// <summary>
    /// Where the log ends below where reading is to end, nothing will ever come there: the brokers lost what lay between. Null: it does
    /// not.
    /// </summary>
    /// <param name="partition">One whose end was reached.</param>
    /// <param name="logEnd">The end of all that was sent to it, as the brokers said with its end; negative: not known.</param>
    public long? EndThatIsLost(int partition, long logEnd) =>
        ends is not null && ends.TryGetValue(partition, out var end) && logEnd >= 0 && logEnd < end && Unread.Contains(partition)
            ? end : null;

    /// <param name="superseded">Partitions that another instance stored meanwhile, and where they are read on.</param>
    public void Committed(IReadOnlyDictionary<int, long> superseded)
    {
        Records = 0;
        reading = -1;
        behind.Clear();
        foreach (var (partition, next) in superseded) positions[partition] = next;
    }
}
