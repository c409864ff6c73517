using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.Rows;

namespace OrdersStream.Store;

/// <summary>
/// Brokers may lose the end of a log that they had acknowledged (a power loss without fsync, an unclean election, a volume put back), and
/// write on: new records then have offsets below the lake's next one, and would be taken for old ones. The log that is there is compared
/// with the one that the lake knows, by page numbers, which only grow (invariants 3 and 10).
/// </summary>
internal sealed class LostEnd(TopicAccess topic)
{
    private const int RecordsBack = 64;

    /// <summary>So far back at the most where the lake knows no page, and none may ever come.</summary>
    private const int RecordsBackMax = 32 * 1024;

    /// <summary>More than a publisher that slept may have on its way.</summary>
    private const int LateRecordsMax = 1_000_000;

    /// <summary>More than a page's part has records.</summary>
    private const int RestRecordsMax = 10_000_000;

    /// <summary>Where the log that is there parts from the one that the lake knows; null: it does not, as far as can be seen.</summary>
    /// <param name="partition">Which one.</param>
    /// <param name="state">What the lake has of it.</param>
    /// <param name="low">The first offset kept.</param>
    /// <param name="high">The end of what is committed.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public async Task<long?> FindAsync(int partition, PartitionState state, long low, long high, CancellationToken cancellationToken)
    {
        // What capture has sent since lies below the new end: that the log is shorter says where it ends, not where it parts.
        if (high < state.NextOffset) return await FirstNewPageAsync(partition, state, low, high, cancellationToken) ?? high;
        // Where retention has taken it away, there is nothing to tell it by.
        if (low >= state.NextOffset) return null;
        // Mostly the last record, before a marker maybe, is the newest page's, and one look is enough. Another producer's says nothing.
        long? last = null;
        await foreach (var record in topic.ReadRangeAsync(
            partition, Math.Max(low, state.NextOffset - 2), state.NextOffset, cancellationToken))
            last = MarkOf(record).Page;
        if (last == Newest(state)) return null;
        return await FirstNewPageAsync(partition, state, low, high, cancellationToken);
    }

    /// <summary>The first page that the lake does not have, below its next offset; null: there is none.</summary>
    public async Task<long?> FirstNewPageAsync(
        int partition, PartitionState state, long low, long high, CancellationToken cancellationToken)
    {
        var (known, end) = (Newest(state), Math.Min(state.NextOffset, high));
        for (long back = RecordsBack; ; back *= 8)
        {
            var from = Math.Max(low, end - back);
            var (isKnownMet, isOlderMet) = (false, false);
            long? found = null;
            await foreach (var record in topic.ReadRangeAsync(partition, from, end, cancellationToken))
            {
                var mark = MarkOf(record);
                isKnownMet |= mark.Page == known;
                isOlderMet |= mark.Page < known;
                if (mark.Page > known && mark.IsStart) found ??= record.Offset;
            }
            // A lesser number alone says nothing: what came late stands behind pages that are new.
            var isFarBack = known == 0 ? back >= RecordsBackMax : isOlderMet && back >= LateRecordsMax;
            if (isKnownMet || from == low || isFarBack) return found;
        }
    }

    /// <summary>The page whose rest stands at an offset, without its beginning; 0: none's.</summary>
    /// <param name="partition">Which one.</param>
    /// <param name="offset">Where it would stand.</param>
    /// <param name="high">The end of what is committed.</param>
    /// <param name="least">The least number that it may have: records of lesser ones came late.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public async Task<long> RestAtAsync(int partition, long offset, long high, long least, CancellationToken cancellationToken)
    {
        await foreach (var record in topic.ReadRangeAsync(partition, offset, Math.Min(high, offset + RestRecordsMax), cancellationToken))
            if (MarkOf(record) is { Page: { } page, IsStart: var isStart } && page >= least) return isStart ? 0 : page;
        return 0;
    }

    // One that was given up is not in the lake, one whose rest comes next not whole, and yet they are nothing new.
    private static long Newest(PartitionState state) => Math.Max(state.Page, Math.Max(state.GivenUp, state.RestOf));

    private readonly record struct PageMark(long? Page, bool IsStart);

    private PageMark MarkOf(in StreamRecord record)
    {
        try
        {
            return ReadMark(in record);
        }
        catch (FormatException e)
        {
            throw PageFrame.ToStop(e, topic.Identity.Topic, record.Partition, record.Offset);
        }
    }

    private PageMark ReadMark(in StreamRecord record)
    {
        var isFramed = false;
        byte[]? position = null;
        foreach (var header in record.Headers ?? [])
        {
            if (header.Value is not { } value) continue;
            isFramed |= header.Name is StreamHeader.Page or StreamHeader.PageEnd;
            if (header.Name == StreamHeader.Position) position = value;
            if (header.Name == StreamHeader.Page && PageStart.Read(value, topic.Identity.Topic) is { } start
                && start.Partitions.Contains(record.Partition)) return new(start.Page, true);
            if (header.Name == StreamHeader.Fence && PageFence.Read(value, topic.Identity.Topic) is { } fence) return new(fence.Page, true);
            if (header.Name == StreamHeader.PageEnd && PageEnd.Read(value, topic.Identity.Topic) is { } end
                && end.Partitions.Contains(record.Partition)) return new(end.Page, false);
            if (header.Name == StreamHeader.PageName && PageFrame.ReadName(value) is { } name && name.Stream == topic.Identity.Topic)
                return new(name.Page, false);
        }
        // The pages of topic format 1 have no number, and come before those that have one.
        return new(!isFramed && position is not null && PageEnd.IsOfFirstFormat(position, topic.Identity.Topic) ? 0 : null, false);
    }
}
