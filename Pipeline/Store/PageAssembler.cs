using OrdersStream.Diagnostics;
using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.Rows;

namespace OrdersStream.Store;

/// <summary>
/// What becomes of each record, one after the other of its partition: part of a page that is kept until it is whole, a row, quarantine, or
/// nothing, since it is late or there already (invariants 2 and 3). What it decides goes into the partition's batch.
/// </summary>
internal sealed class PageAssembler(StoreContext context, PartitionBatches partitions, BatchTotals totals)
{
    /// <summary>Adds the record that comes next of its partition.</summary>
    public async ValueTask AddAsync(PartitionBatch batch, StreamRecord record, CancellationToken cancellationToken)
    {
        var receiver = batch.Receiver;
        var frames = receiver.FramesOf(in record);
        if (WasWhole(batch, frames, record.Offset)) await CompletePageAsync(batch, nextPageAt: record.Offset, cancellationToken);
        if (frames is { Start: { } first, IsMisplaced: false })
            await CheckPlaceAsync(batch, first.Page, first.Previous, record.Offset, cancellationToken);
        else if (frames.Fence is { } begins)
        {
            await CheckPlaceAsync(batch, begins.Page, 0, record.Offset, cancellationToken);
            if (record.Offset >= batch.NextOffset && begins.Page > Math.Max(batch.Version, batch.GivenUp))
                await context.Bounds.CheckBeforeFenceAsync(batch, context.NewWriterId(), cancellationToken);
        }
        if (record.Offset < batch.NextOffset)
        {
            totals.AlreadyStored++;
            return;
        }
        while (partitions.ToGiveUp is { } full) GiveUpFull(full);
        var isLate = receiver.IsLate(frames);
        if (receiver.Open is not null && frames.Fence?.Page > batch.Page) GiveUp(batch, isFenced: true);
        var isOfGivenUp = receiver.IsOfGivenUp(frames);
        if (frames.Start is { } start && !isLate && !isOfGivenUp && (!frames.IsMisplaced || receiver.Open is null))
            receiver.Begin(start, record.Offset);
        if (frames.Fence is { } fence)
        {
            TakeFence(batch, fence, record.Offset);
        }
        else if (isLate)
        {
            receiver.DropLate(in record);
        }
        else if (receiver.Open is null && isOfGivenUp)
        {
            QuarantineRest(batch, record, frames);
        }
        else if (receiver.Open is not null)
        {
            await CheckOpenAsync(batch, frames, cancellationToken);
            receiver.Hold(in record, in frames);
            if (frames.End is not null && receiver.IsOfOpen(frames)) await CompletePageAsync(batch, nextPageAt: null, cancellationToken);
        }
        else
        {
            await AddForeignAsync(batch, record, frames, cancellationToken);
        }
    }

    // Pages only grow along the log, and each says which one was before it here.
    private async ValueTask CheckPlaceAsync(
        PartitionBatch batch, long page, long previous, long offset, CancellationToken cancellationToken)
    {
        var newest = Math.Max(batch.Version, batch.GivenUp);
        if (page <= newest || batch.Receiver.HasGivenUp(page)) return;
        // Inside of what waits for its page's end: that was lost, and what stands there now is another's.
        if (offset >= batch.DecidedOffset && offset < batch.NextOffset && page > batch.Receiver.Open?.Start.Page)
            throw context.Bounds.WroteOn(batch.Partition);
        if (offset < batch.DecidedOffset)
            await context.Bounds.BeginAgainAsync(batch.Stored, offset, context.NewWriterId(), cancellationToken);
        else if (previous > newest)
            await context.Bounds.FindMissingAsync(batch, previous, context.NewWriterId(), cancellationToken);
    }

    // A record of a newer page than the one that is open, whose beginning did not come: it lies where that one stood, which was lost.
    private async ValueTask CheckOpenAsync(PartitionBatch batch, RecordFrames frames, CancellationToken cancellationToken)
    {
        var receiver = batch.Receiver;
        if (frames is not { Start: null, IsMisplaced: false, Page: { } page } || page == batch.SoughtPage || receiver.HasGivenUp(page)
            || page <= Math.Max(receiver.Open!.Start.Page, Math.Max(batch.Page, batch.GivenUp))) return;
        batch.SoughtPage = page;
        await context.Bounds.FindMissingAsync(batch, page, context.NewWriterId(), cancellationToken);
    }

    // What of the open page was not there before its successor's fence is late (invariant 3); a fence that is late itself is nothing.
    private static void TakeFence(PartitionBatch batch, PageFence fence, long offset)
    {
        batch.PageDecided(fence.Page);
        if (batch.Receiver.Open is null) batch.Decided(offset, endsTransaction: false);
        else batch.Taken(offset);
    }

    // The end of a page whose beginning did not come: it lies below what the lake has of another log, or is nowhere any more.
    private async ValueTask CheckBeginningAsync(
        PartitionBatch batch, long offset, RecordFrames frames, CancellationToken cancellationToken)
    {
        if (frames is not { End: { } end, IsMisplaced: false } || end.Page <= Math.Max(batch.Version, batch.GivenUp)
            || batch.Receiver.HasGivenUp(end.Page)) return;
        await context.Bounds.FindMissingAsync(batch, end.Page, context.NewWriterId(), cancellationToken);
        context.Bounds.BeginningIsGone(batch, end, offset, context.NewWriterId());
    }

    // Who published the page that begins here knows that the one that is open was whole: what lacks of that is lost. Its own publisher
    // does, too, though parts between are gone: one whose page was not acknowledged sends no other.
    private static bool WasWhole(PartitionBatch batch, in RecordFrames frames, long offset) =>
        frames is { Start: { } next, IsMisplaced: false } && offset >= batch.NextOffset && batch.Receiver.Open is { } part
        && (next.Previous == part.Start.Page
            || (next.Publisher == part.Start.Publisher && next.Page > part.Start.Page && part.Start.Page > batch.Page))
        && !batch.Receiver.IsMisplaced(part) && !batch.Receiver.IsLate(frames);

    /// <summary>The part that arrived has its end mark; or it had one, which is lost, where the next page begins.</summary>
    private async ValueTask CompletePageAsync(PartitionBatch batch, long? nextPageAt, CancellationToken cancellationToken)
    {
        var receiver = batch.Receiver;
        var part = receiver.Open!;
        var isMisplaced = receiver.IsMisplaced(part);
        // Of a page that the lake has nothing is lost with its repetition.
        if (!isMisplaced && part.Start.Page > batch.Page && (part.Own < part.Start.Records || nextPageAt is not null))
            part = await ReadAgainAsync(batch, part, nextPageAt ?? batch.NextOffset, cancellationToken);
        var (sizeBefore, filesBefore) = (batch.Bytes, batch.Files.Count);
        Quarantine(batch, receiver.TakeDoubtful(part, isFenced: false));
        if (isMisplaced)
        {
            for (var records = part.Read(); records.Next();)
                if (records.IsForeign) AddHeld(batch, batch.Version, records);
                else batch.AddToQuarantine(
                    records.ToRecord(batch.Partition), PageReceiver.Misplaced, Math.Min(part.Start.Page, batch.Version));
        }
        else if (part.Start.Page <= batch.Page)
        {
            // By transactions only the newest page is sent again, under its number.
            if (!part.Start.IsNamed && part.Start.Page < batch.Page) context.Bounds.PageIsOlder(batch, part.Start.Page, part.FirstOffset);
            Quarantine(batch, receiver.DropRepeated(part), part.Start.Page);
        }
        else
        {
            var (before, wasAssumed) = (batch.Shape, batch.IsAssumed);
            batch.Use(partitions.ShapeOf(part.Start), isAssumed: false);
            for (var records = part.Read(); records.Next();) AddHeld(batch, part.Start.Page, records, part.Start.IsDeletes);
            // Another producer's rows have no columns that may be NULL for the sake of deletes.
            if (part.Start.IsDeletes && before is not null) batch.Use(before, wasAssumed);
            batch.PageDecided(part.Start.Page);
        }
        batch.Decided(Math.Max(part.LastOffset, batch.NextOffset - 1), endsTransaction: nextPageAt is null && !part.Start.IsNamed);
        totals.Add(batch, sizeBefore, filesBefore, part.Count);
        part.Clear();
        receiver.Close();
    }

    private void AddHeld(PartitionBatch batch, long page, HeldRecords held, bool isOfDeletes = false)
    {
        if (held.IsPlain)
        {
            if (batch.TryAddRow(held.Offset, held.TimestampMs, held.Value, RowOp.Upsert, page) is { } fault)
                batch.AddToQuarantine(held.ToRecord(batch.Partition), fault, page);
            return;
        }
        var record = held.ToRecord(batch.Partition);
        var frames = held.IsForeign ? batch.Receiver.FramesOf(in record) : default;
        if (frames.Replay is { } replay)
        {
            TakeReplay(batch, in record, replay);
            return;
        }
        var reason = held.IsForeign ? batch.Receiver.ReasonAgainst(frames) : null;
        if ((reason ?? batch.TryAddRow(in record, page, isOfDeletes && !held.IsForeign)) is { } why)
            batch.AddToQuarantine(in record, why, page);
    }

    /// <summary>
    /// Fewer records than the frames say: whoever delivered them left some out, and they are read from Kafka. What Kafka itself no longer
    /// has is lost, and that is for a human to accept (invariant 3).
    /// </summary>
    private async Task<PagePart> ReadAgainAsync(
        PartitionBatch batch, PagePart part, long toExclusive, CancellationToken cancellationToken)
    {
        var isEnded = false;
        var again = new PagePart(part.Start, part.FirstOffset, partitions.Blocks);
        context.Logger.GapRead(batch.Partition, part.FirstOffset, toExclusive);
        try
        {
            await foreach (var record in context.Topic.ReadDeliveredAsync(
                batch.Partition, part.FirstOffset, toExclusive, cancellationToken))
            {
                var frames = batch.Receiver.FramesOf(in record);
                if (frames.Fence is not null || batch.Receiver.IsLate(frames)) continue;
                isEnded |= frames.End is not null && batch.Receiver.IsOfOpen(frames);
                again.Hold(record, isForeign: batch.Receiver.IsForeign(frames));
            }
        }
        catch
        {
            again.Clear();
            throw;
        }
        // Where the one with the end mark is gone, others' records may make up for the number.
        var present = Math.Min(again.Own, isEnded ? part.Start.Records : part.Start.Records - 1);
        if (present < part.Start.Records) context.Bounds.PageIsDamaged(batch, part.Start, present, part.FirstOffset);
        return again;
    }

    // Nobody ends the page, and others' records follow: they are not kept waiting in memory for ever.
    private void GiveUpFull(PartitionBatch batch)
    {
        var page = batch.Receiver.Open!;
        context.Logger.PageGivenUp(
            batch.Partition, page.Start.Page, page.FirstOffset, batch.Receiver.WaitingBytes / 1024.0 / 1024, batch.NextOffset);
        GiveUp(batch, isFenced: false);
    }

    private void GiveUp(PartitionBatch batch, bool isFenced)
    {
        var page = batch.Receiver.Open!;
        if (!batch.Receiver.IsMisplaced(page)) batch.PageGivenUp(page.Start.Page);
        batch.Receiver.GiveUp();
        var (sizeBefore, filesBefore) = (batch.Bytes, batch.Files.Count);
        Quarantine(batch, batch.Receiver.TakeDoubtful(null, isFenced));
        batch.Decided(batch.NextOffset - 1, endsTransaction: false);
        totals.Add(batch, sizeBefore, filesBefore, 0);
    }

    // Whoever sent it takes the page for published, and nobody sends it again.
    private void QuarantineRest(PartitionBatch batch, StreamRecord record, RecordFrames frames)
    {
        var (sizeBefore, filesBefore) = (batch.Bytes, batch.Files.Count);
        batch.AddToQuarantine(in record, PageReceiver.RestOfGivenUp);
        batch.Decided(record.Offset, endsTransaction: frames.End is { IsNamed: false });
        totals.Add(batch, sizeBefore, filesBefore, 1);
    }

    private void Quarantine(PartitionBatch batch, IEnumerable<(StreamRecord Record, string Reason)> records, long? version = null)
    {
        foreach (var (record, reason) in records)
            if (batch.Receiver.FramesOf(in record).Replay is { } replay) TakeReplay(batch, in record, replay);
            else batch.AddToQuarantine(in record, reason, version);
    }

    /// <summary>
    /// A record that was in quarantine comes again: it is a row, or in quarantine anew, and that it is commits together with the mark that
    /// it is no longer where it was (invariant 3). One that is marked was sent twice.
    /// </summary>
    private void TakeReplay(PartitionBatch batch, in StreamRecord record, ReplayOf replay)
    {
        batch.Replayed ??= ReplayMarks.By(context.Lake, context.Topic.Identity.Topic, batch.Partition);
        if (!batch.Replayed.Add(replay.Place))
        {
            batch.Dropped++;
            return;
        }
        // Above the newest page of this partition, it would make the lake look as if it had the pages up to it.
        var version = Math.Min(replay.Version, batch.Version);
        var (before, wasAssumed) = (batch.Shape, batch.IsAssumed);
        if (SchemaFinder.FingerprintIn(record.Headers) is { } fingerprint && context.SchemaStore.Has(fingerprint))
            batch.Use(partitions.ShapeOf(fingerprint), isAssumed: false);
        var fault = batch.Shape is null ? "its schema is not known here" : batch.TryAddRow(in record, version);
        if (fault is not null) batch.AddToQuarantine(in record, fault, version);
        batch.Use(before, wasAssumed);
        batch.Replays.Add(replay.Place, record.Offset);
    }

    /// <summary>A record that came by no page, or one of a page whose beginning Kafka no longer has.</summary>
    private async ValueTask AddForeignAsync(
        PartitionBatch batch, StreamRecord record, RecordFrames frames, CancellationToken cancellationToken)
    {
        if (frames.Replay is { } replay)
        {
            var (bytesBefore, openBefore) = (batch.Bytes, batch.Files.Count);
            TakeReplay(batch, in record, replay);
            batch.Decided(record.Offset, endsTransaction: false);
            totals.Add(batch, bytesBefore, openBefore, 1);
            return;
        }
        await CheckBeginningAsync(batch, record.Offset, frames, cancellationToken);
        // Behind a page of ours, whose frames bring their schema along, one that is not known is another producer's word.
        if (SchemaFinder.FingerprintIn(record.Headers) is { } fingerprint && (batch.Page == 0 || context.SchemaStore.Has(fingerprint)))
        {
            batch.Use(partitions.ShapeOf(fingerprint), isAssumed: false);
        }
        else if (batch.Shape is null)
        {
            var (schema, isAssumed) = await context.Schemas.FindAsync(
                batch.Partition, record.Offset, hasPages: batch.Page > 0, cancellationToken);
            batch.Use(partitions.ShapeOf(schema.Fingerprint), isAssumed);
        }
        var (sizeBefore, filesBefore) = (batch.Bytes, batch.Files.Count);
        if (batch.Receiver.ReasonAgainst(frames) is { } reason) batch.AddToQuarantine(in record, reason);
        else if (batch.TryAddRow(in record, batch.Version) is { } fault
            && !(batch.IsAssumed && await TryNewerSchemaAsync(batch, record, cancellationToken)))
        {
            batch.AddToQuarantine(in record, fault);
        }
        var endsPage = frames is { End: not null, IsMisplaced: false };
        if (endsPage) batch.PageDecided(frames.End!.Page);
        batch.Decided(record.Offset, endsTransaction: frames.EndsFirstFormat || endsPage);
        totals.Add(batch, sizeBefore, filesBefore, 1);
    }

    // A producer that names no schema may have changed the shape of its records along with the table.
    private async Task<bool> TryNewerSchemaAsync(PartitionBatch batch, StreamRecord record, CancellationToken cancellationToken)
    {
        var assumed = batch.Shape!;
        if (await context.Schemas.FindNewerAsync(assumed.Schema, batch.Partition, record.Offset, cancellationToken) is not { } newer)
            return false;
        batch.Use(partitions.ShapeOf(newer.Fingerprint), isAssumed: true);
        if (batch.TryAddRow(in record, batch.Version) is null) return true;
        batch.Use(assumed, isAssumed: true);
        return false;
    }
}
