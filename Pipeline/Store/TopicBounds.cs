using Microsoft.Extensions.Logging;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.Rows;

namespace OrdersStream.Store;

/// <summary>
/// What Kafka still has must reach down to what the lake has. Where it does not, records are gone, and storing stops
/// until a human decides: it never skips (invariants 3 and 6).
/// </summary>
/// <param name="topic">What Kafka has.</param>
/// <param name="begins">Where the lake begins, of each partition that the topic had then; null: a lake of an earlier version.</param>
/// <param name="compacted">What is done about a topic that is compacted: with "warn", pages may lack records.</param>
/// <param name="time">For what lags.</param>
/// <param name="logger">Hears of what is lost and accepted.</param>
internal sealed class TopicBounds(
    TopicAccess topic, IReadOnlyList<long>? begins, string compacted, TimeProvider time, ILogger logger)
{
    private readonly LostEnd lostEnd = new(topic);

    /// <summary>
    /// Compares a partition's log with the topic, once, before its first record is taken. The first offset that Kafka keeps.
    /// </summary>
    /// <param name="stored">What the lake has.</param>
    /// <param name="writerId">Of an entry that says that the end was lost.</param>
    /// <param name="cancellationToken">Ends the asking.</param>
    public async Task<long> OpenAsync(StoredPartition stored, string writerId, CancellationToken cancellationToken)
    {
        var (low, high) = await topic.OffsetsAsync(stored.Partition, cancellationToken);
        if (stored.IsNew)
        {
            var first = BeginsAt(stored.Partition) ?? low;
            if (first > 0) logger.LakeBeginsAt(stored.Partition, first, first);
            stored.BeginAt(first);
            await BeginInsideAsync(stored, low, high, cancellationToken);
            return low;
        }
        if (stored.State.Missing is > 0 and var places && !stored.AcceptsMissingPages(places, out var known))
            logger.PagesMissing(stored.Partition, places, known);
        for (var retry = 0; high < stored.State.NextOffset && retry < TopicReader.EndRetries; retry++)
        {
            await Task.Delay(TopicReader.EndRetryDelay, time, cancellationToken);
            (_, high) = await topic.OffsetsAsync(stored.Partition, cancellationToken);
        }
        if (await HiddenAsync(stored.Partition, stored.State, high, cancellationToken) is { } hidden)
            throw new PipelineException(hidden.ToVerdict(topic.Identity.Topic));
        if (high < stored.State.NextOffset && stored.State.Page == 0 && topic.Identity.TopicId is null) throw TopicShrank(stored, high);
        if (await lostEnd.FindAsync(stored.Partition, stored.State, low, high, cancellationToken) is { } begun)
            BeginAgain(stored, begun, writerId);
        await BeginInsideAsync(stored, low, high, cancellationToken);
        return low;
    }

    // Behind an unclean election another's transaction may stand open below what the lake has: what lies behind it is there, and nobody can
    // tell yet whether it is what the lake knows.
    private async Task<HiddenEnd?> HiddenAsync(int partition, PartitionState state, long high, CancellationToken cancellationToken) =>
        high < state.NextOffset && await topic.EndAsync(partition, cancellationToken) is var end && end >= state.NextOffset
            ? new(partition, high, end) : null;

    // Retention may have taken the beginning of a page: its rows are as new as the page is, which its other frames tell.
    private async Task BeginInsideAsync(StoredPartition stored, long low, long high, CancellationToken cancellationToken)
    {
        if (low == 0 || low < stored.State.NextOffset) return;
        var page = await lostEnd.RestAtAsync(stored.Partition, low, high, stored.State.Page + 1, cancellationToken);
        if (page > 0) stored.BeginInside(page);
    }

    /// <summary>The page whose rest stands at an offset, or where Kafka begins behind it; 0: none's.</summary>
    /// <param name="partition">Which one.</param>
    /// <param name="offset">Where what is known ends.</param>
    /// <param name="least">The least number that the page may have.</param>
    /// <param name="cancellationToken">Ends the asking.</param>
    public async Task<long> RestAtAsync(int partition, long offset, long least, CancellationToken cancellationToken)
    {
        var (low, high) = await topic.OffsetsAsync(partition, cancellationToken);
        return await lostEnd.RestAtAsync(partition, Math.Max(low, offset), high, least, cancellationToken);
    }

    /// <summary>
    /// The log that is there is not the one that the lake knows, as far as can be seen; null: another's transaction hides it.
    /// </summary>
    /// <param name="partition">Which one.</param>
    /// <param name="state">What the lake has of it.</param>
    /// <param name="cancellationToken">Ends the asking.</param>
    public async Task<bool?> HasLostEndAsync(int partition, PartitionState state, CancellationToken cancellationToken)
    {
        var (low, high) = await topic.OffsetsAsync(partition, cancellationToken);
        if (await HiddenAsync(partition, state, high, cancellationToken) is not null) return null;
        return await lostEnd.FindAsync(partition, state, low, high, cancellationToken) is not null;
    }

    /// <summary>
    /// A page that the lake does not have begins below what it has: the brokers lost the end of the log and wrote another.
    /// Storing goes on there when the partition is opened anew.
    /// </summary>
    /// <exception cref="PipelineException">Always.</exception>
    public async Task BeginAgainAsync(StoredPartition stored, long newPageAt, string writerId, CancellationToken cancellationToken)
    {
        var (low, high) = await topic.OffsetsAsync(stored.Partition, cancellationToken);
        var first = await lostEnd.FirstNewPageAsync(stored.Partition, stored.State, low, high, cancellationToken);
        throw ReadAgain(stored, first ?? newPageAt, writerId);
    }

    /// <summary>A page tells of one before it that never came: it lies below what the lake has, or is nowhere any more.</summary>
    /// <exception cref="PipelineException">It was found.</exception>
    public async Task FindMissingAsync(PartitionBatch batch, long missing, string writerId, CancellationToken cancellationToken)
    {
        var (low, offset) = await FindNewBelowAsync(batch, cancellationToken);
        if (offset is { } newPageAt) throw ReadAgain(batch.Stored, newPageAt, writerId);
        // Before the first page that the lake has there may have been any, unless it has all from the partition's first record on.
        if (batch.HasPassedOver || (batch.Page == 0 && (low > 0 || BeginsAt(batch.Partition) != 0))) return;
        logger.PageMissing(batch.Partition, missing, batch.Page);
        // It does not stop: what the brokers lost capture sends again. But it is not forgotten with the line (invariant 11).
        batch.LacksPages = compacted != "warn";
    }

    /// <summary>
    /// A publisher begins anew, and tells of no page before its fence: what it found there may have been written where an end was lost,
    /// and be passed by for what the lake has. Afterwards the fence is the newest that is known.
    /// </summary>
    /// <exception cref="PipelineException">It was.</exception>
    public async Task CheckBeforeFenceAsync(PartitionBatch batch, string writerId, CancellationToken cancellationToken)
    {
        if ((await FindNewBelowAsync(batch, cancellationToken)).Offset is { } offset) throw ReadAgain(batch.Stored, offset, writerId);
    }

    private async Task<(long Low, long? Offset)> FindNewBelowAsync(PartitionBatch batch, CancellationToken cancellationToken)
    {
        var (low, high) = await topic.OffsetsAsync(batch.Partition, cancellationToken);
        // What this batch has passed is not all in the lake yet, nor is the part that is open still what the log has there.
        var passed = batch.Before with
        {
            NextOffset = batch.NextOffset, Page = Math.Max(batch.Page, batch.Receiver.Open?.Start.Page ?? 0), GivenUp = batch.GivenUp,
        };
        return (low, await lostEnd.FirstNewPageAsync(batch.Partition, passed, low, high, cancellationToken));
    }

    // A partition that was added later begins with its first record: what retention took of it since is missing. Null: a lake of an earlier
    // version does not say.
    private long? BeginsAt(int partition) => begins is null ? null : partition < begins.Count ? begins[partition] : 0;

    // What is not in the lake yet is read again anyway, from where the lake ends: a beginning behind that would pass it over.
    private PipelineException ReadAgain(StoredPartition stored, long offset, string writerId)
    {
        if (offset < stored.State.NextOffset) BeginAgain(stored, offset, writerId);
        return WroteOn(stored.Partition);
    }

    /// <summary>What was read of the partition is not what stands there now.</summary>
    public PipelineException WroteOn(int partition) =>
        new(new FailureVerdict(FailureAction.Retry,
            $"The brokers lost the end of topic '{topic.Identity.Topic}', partition {partition}, "
            + "and wrote on below what was read of it.",
            "What they wrote is read from there.", SeesItself: true));

    // Offsets that come again are other records': files of another generation bear its number, and pages tell what is new (invariant 3).
    private void BeginAgain(StoredPartition stored, long offset, string writerId)
    {
        var lost = stored.State.NextOffset;
        var state = stored.State with
        {
            NextOffset = offset, PageEnded = false, Generation = stored.State.Generation + 1, RestOf = 0, PassedOver = false,
        };
        Append(stored, offset, state, writerId);
        logger.TopicEndLost(stored.Partition, lost, offset);
    }

    /// <summary>What is gone before an offset is passed over, as was accepted.</summary>
    public void PassOver(StoredPartition stored, long offset, string writerId) =>
        Append(stored, offset, stored.State with { NextOffset = offset, PageEnded = false, PassedOver = true }, writerId);

    private void Append(StoredPartition stored, long offset, PartitionState state, string writerId)
    {
        var entry = new CommitEntry(
            stored.NextSequence, writerId, time.GetUtcNow(), topic.Identity, stored.Partition, offset, offset, [], [], state);
        if (stored.TryAppend(entry)) stored.Adopt(entry);
        else stored.Reload();
    }

    /// <summary>The first offset that is missing in the lake and that Kafka still has.</summary>
    /// <exception cref="PipelineException">Records between are gone, and nobody accepted that.</exception>
    public async Task<long> FirstKeptAsync(PartitionBatch batch, CancellationToken cancellationToken)
    {
        var (low, high) = await topic.OffsetsAsync(batch.Partition, cancellationToken);
        var first = FirstKept(batch, low);
        if (low > batch.NextRecord) await BeginInsideAsync(batch.Stored, low, high, cancellationToken);
        return first;
    }

    /// <summary>The same, where <paramref name="low"/>, the first offset that Kafka keeps, is known.</summary>
    public long FirstKept(PartitionBatch batch, long low)
    {
        if (low > batch.NextRecord)
        {
            batch.HasPassedOver = true;
            if (!batch.Stored.AcceptsLoss(batch.NextRecord, out var markerPath))
                throw LostRecords.Of(topic.Identity.Topic, batch.Partition, batch.NextRecord, low, markerPath);
            logger.LossAccepted(batch.Partition, low - batch.NextRecord, batch.NextRecord, low, markerPath);
        }
        return Math.Max(low, batch.NextOffset);
    }

    /// <summary>Kafka no longer has all records of a page that its frames tell of.</summary>
    /// <exception cref="PipelineException">Nobody accepted that.</exception>
    public void PageIsDamaged(PartitionBatch batch, PageStart page, int present, long firstOffset)
    {
        if (!AcceptsDamage(batch.Stored, firstOffset, out var acceptance))
            throw new PipelineException(FailureAction.Stop,
                $"Page {page.Page} of topic '{topic.Identity.Topic}', partition {batch.Partition}, begins at offset {firstOffset} and has "
                + $"{page.Records} records; Kafka has only {present} of them.",
                Accept(acceptance));
        logger.LossAccepted(batch.Partition, page.Records - present, firstOffset, batch.NextOffset, acceptance);
    }

    /// <summary>A page that came whole by a transaction is below the newest: what is sent again is not, so it is new, or a copy.</summary>
    /// <exception cref="PipelineException">Nobody said that it is a copy.</exception>
    public void PageIsOlder(PartitionBatch batch, long page, long firstOffset)
    {
        if (batch.Stored.AcceptsLoss(firstOffset, out var markerPath)) return;
        throw new PipelineException(FailureAction.Stop,
            $"Page {page} of topic '{topic.Identity.Topic}', partition {batch.Partition}, begins at offset {firstOffset}, and the lake has "
            + $"page {batch.Page}: numbers of pages go back only where the clock of who captures was ahead before; "
            + "or another program wrote a copy of an old page.",
            "If it was the clock, start a new stream (docs/operations.md), which captures the whole table. "
            + $"If it is a copy, create the empty file '{markerPath}' (and its folder, if there is none yet): this page is dropped.");
    }

    /// <summary>Of a page that its last record tells of, Kafka no longer has the first one.</summary>
    /// <exception cref="PipelineException">Nobody accepted that; or its rows are read again, as rows of that page.</exception>
    public void BeginningIsGone(PartitionBatch batch, PageEnd page, long endOffset, string writerId)
    {
        var stored = batch.Stored;
        if (!AcceptsDamage(stored, endOffset, out var acceptance))
            throw new PipelineException(FailureAction.Stop,
                $"Page {page.Page} of topic '{topic.Identity.Topic}', partition {batch.Partition}, ends at offset {endOffset} and has "
                + $"{page.Records} records; Kafka no longer has its first, and at least one record is lost.", Accept(acceptance));
        logger.LossAccepted(batch.Partition, 1, batch.Before.NextOffset, endOffset, acceptance);
        var state = stored.State with { RestOf = page.Page };
        Append(stored, state.NextOffset, state, writerId);
        throw new PipelineException(new FailureVerdict(FailureAction.Retry,
            $"Of page {page.Page} of topic '{topic.Identity.Topic}', partition {batch.Partition}, the beginning is lost, "
            + "which is accepted.",
            "What is left of it is read again, as rows of that page.", SeesItself: true));
    }

    // Who wants no more than the newest version of each row has said so once, for all pages.
    private bool AcceptsDamage(StoredPartition stored, long offset, out string acceptance)
    {
        var isMarked = stored.AcceptsLoss(offset, out acceptance);
        if (isMarked || compacted != "warn") return isMarked;
        acceptance = "kafka.compacted: warn";
        return true;
    }

    private static string Accept(string markerPath) =>
        "The topic was compacted (cleanup.policy), or records were deleted in the middle of it. "
        + $"To go on without them, create the empty file '{markerPath}' (and its folder, if there is none yet); "
        + "kafka.compacted: warn does so for all pages of a compacted topic. "
        + "Their rows come back when they change once more, or by a new stream (docs/operations.md).";

    // Neither the brokers nor the records tell whether it is the same topic: one that was made anew has other records.
    private PipelineException TopicShrank(StoredPartition stored, long high) => new(FailureAction.Stop,
        $"Topic '{topic.Identity.Topic}', partition {stored.Partition}, ends at offset {high}, "
        + $"but the lake has all below {stored.State.NextOffset}.",
        "The topic was deleted and made anew, or lost its end. "
        + "Give it a new streaming.checkpoint_location and datalake.path, or move both folders away; nothing was changed.");
}
