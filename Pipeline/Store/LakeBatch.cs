using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.Memory;
using OrdersStream.Rows;

namespace OrdersStream.Store;

/// <summary>What a commit did.</summary>
/// <param name="Result">Rows, files and the like since the last commit.</param>
/// <param name="Superseded">
/// Partitions that another instance stored meanwhile, and the next offset of each: their records from that offset on must be
/// added again.
/// </param>
public sealed record CommitOutcome(BatchResult Result, IReadOnlyDictionary<int, long> Superseded);

/// <summary>
/// A batch that grows record by record and is committed as a whole; used again after each commit. A record is decoded as
/// it is added, so its raw bytes need not be kept. After an exception the batch is empty: deliver again from
/// <see cref="NextOffsetAsync"/>. For one caller at a time; two batches are kept apart by the commit log, like two processes.
/// </summary>
public sealed class LakeBatch
{
    private readonly StoreContext context;
    private readonly bool readsInOrder;
    private readonly DatalakeOptions options;
    private readonly BatchCommit commit;
    private readonly PartitionBatches partitions;
    private readonly FilesLimit filesLimit;
    private readonly OffsetGap gap;
    private readonly Dictionary<int, long> superseded = [];
    private PartitionBatch? last;
    private BatchResult done = BatchResult.Nothing;
    private int files;

    /// <param name="context">Topic, lake, commit log.</param>
    /// <param name="readsInOrder">Records come from a consumer that leaves out nothing; else a gap may be anywhere.</param>
    internal LakeBatch(StoreContext context, bool readsInOrder = false)
    {
        this.context = context;
        this.readsInOrder = readsInOrder;
        options = context.Options;
        commit = new BatchCommit(context);
        partitions = new PartitionBatches(context);
        filesLimit = new FilesLimit(context, partitions);
        gap = new OffsetGap(context, partitions);
    }

    /// <summary>Rows and quarantined records that wait for the commit.</summary>
    public long Records { get; private set; }

    /// <summary>Their decoded size.</summary>
    public long Bytes { get; private set; }

    /// <summary>A limit is reached: commit before more is added (invariant 7).</summary>
    public bool IsFull => Bytes >= options.BatchBytes || Records >= options.BatchRows || filesLimit.IsReached(files);

    /// <summary>Where a consumer of the partition begins: everything below is in the lake, or waits in this batch.</summary>
    /// <exception cref="PipelineException">Kafka no longer has what comes next.</exception>
    public async Task<long> NextOffsetAsync(int partition, CancellationToken cancellationToken)
    {
        try
        {
            if (!partitions.TryGet(partition, out var batch))
            {
                (batch, var low) = await partitions.OpenNewAsync(partition, cancellationToken);
                return GoOnAt(batch, context.Bounds.FirstKept(batch, low));
            }
            if (batch.IsEmpty) partitions.Reload(batch);
            return GoOnAt(batch, await context.Bounds.FirstKeptAsync(batch, cancellationToken));
        }
        catch (Exception e) when (NamesPath(e))
        {
            throw context.WithoutValues(e);
        }
    }

    // A loss that is accepted is written down at once: in a partition to which nothing comes any more, what is gone would wait for ever.
    private long GoOnAt(PartitionBatch batch, long first)
    {
        if (first <= batch.NextRecord || batch.HasNews || batch.Receiver.Open is not null) return first;
        context.Bounds.PassOver(batch.Stored, first, context.NewWriterId());
        partitions.Restart(batch);
        return Math.Max(first, batch.NextOffset);
    }

    /// <summary>Failures of the file system, whose texts name files of the lake.</summary>
    private static bool NamesPath(Exception e) => e is IOException or UnauthorizedAccessException;

    /// <summary>
    /// Adds one record, each partition's in offset order. Completes at once but for what must be asked of Kafka or Postgres.
    /// </summary>
    public ValueTask AddAsync(in StreamRecord record, CancellationToken cancellationToken) =>
        TryAdd(in record) ? default : AddSlowlyAsync(record, cancellationToken);

    /// <summary>
    /// Adds an upsert with key and value and without headers, where no more is to be done than to decode it or to keep it until its page is
    /// whole: it may lie anywhere.
    /// </summary>
    /// <returns>False: it was not added, and <see cref="AddAsync"/> finds out what else is to be done about it.</returns>
    public bool TryAdd(int partition, long offset, long timestampMs, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        if (BegunBatch(partition) is not { } batch || offset < batch.NextOffset || IsGap(batch, offset, false)) return false;
        try
        {
            if (batch.Receiver.Open is { } part)
            {
                if (partitions.IsToGiveUp(part)) return false;
                part.Hold(offset, timestampMs, key, value);
                batch.Taken(offset);
                return true;
            }
            if (batch.Shape is null) return false;
            var (sizeBefore, filesBefore) = (batch.Bytes, batch.Files.Count);
            if (batch.TryAddRow(offset, timestampMs, value, RowOp.Upsert, batch.Version) is not null) return false;
            batch.Decided(offset, endsTransaction: false);
            Added(batch, sizeBefore, filesBefore, 1);
            return true;
        }
        catch
        {
            Abandon();
            throw;
        }
    }

    /// <summary>The same for a record with key and value and without headers; false for any other.</summary>
    public bool TryAdd(in StreamRecord record) =>
        record is { Key: { } key, Value: { } value, Headers: null or { Count: 0 } }
        && TryAdd(record.Partition, record.Offset, record.TimestampMs, key, value);

    /// <summary>From where on records of the partition wait for the rest of their page; null: none does.</summary>
    public long? WaitingFrom(int partition) =>
        partitions.TryGet(partition, out var batch) && batch.DecidedOffset < batch.NextOffset ? batch.DecidedOffset : null;

    /// <summary>A consumer has read all below an offset: what lies before it, other than records, is passed over, too.</summary>
    public void EndReached(int partition, long offset)
    {
        // Only behind a record that was found to be the next one: the end may be told of where the reading stood before.
        if (partitions.TryGet(partition, out var batch) && batch is { IsBegun: true, Receiver.Open: null } && offset > batch.NextRecord)
            batch.Decided(offset - 1, endsTransaction: false);
    }

    /// <summary>Partitions that went to another instance; what of them is committed stays.</summary>
    public void Forget(IEnumerable<int> gone)
    {
        foreach (var partition in gone)
        {
            partitions.Close(partition);
            if (last?.Partition == partition) last = null;
        }
    }

    /// <summary>Partitions in which a page is not whole yet.</summary>
    public int OpenPages => partitions.All.Count(b => b.Receiver.Open is not null);

    /// <summary>Looks whether the brokers still have what they had of each partition; it may go on beside what else is done.</summary>
    /// <returns>A partition of which they have another log than the lake knows; null: none is seen.</returns>
    public async Task<int?> FindLostEndAsync(CancellationToken cancellationToken)
    {
        var known = partitions.All.Select(b => (b.Partition, b.Stored.State)).ToList();
        // Who waits for partitions has none of which they could answer.
        if (known.Count == 0) await context.Topic.OffsetsAsync(0, cancellationToken);
        foreach (var (partition, state) in known)
            if (await context.Bounds.HasLostEndAsync(partition, state, cancellationToken)) return partition;
        return null;
    }

    /// <summary>
    /// Writes what was added and commits it, per partition. On return it is durable, but for the partitions that were superseded.
    /// </summary>
    public async Task<CommitOutcome> CommitAsync(CancellationToken cancellationToken)
    {
        var begun = context.Time.GetTimestamp();
        try
        {
            await CommitPartitionsAsync(cancellationToken);
        }
        catch (Exception e) when (NamesPath(e))
        {
            throw context.WithoutValues(e);
        }
        if (done.AlreadyStored > 0) context.Logger.DeliveredAgain(done.AlreadyStored);
        // Of a gap that was closed in commits of its own, too.
        if (done != BatchResult.Nothing)
            context.Metrics.Stored(
                done.Rows, done.Quarantined, done.AlreadyStored, done.Files, done.Bytes, context.Time.GetElapsedTime(begun));
        var outcome = new CommitOutcome(done, new Dictionary<int, long>(superseded));
        done = BatchResult.Nothing;
        superseded.Clear();
        return outcome;
    }

    /// <summary>Gives up what was added and not committed; the commit log is read anew.</summary>
    public void Abandon()
    {
        partitions.Close();
        superseded.Clear();
        last = null;
        (Records, Bytes, files) = (0, 0, 0);
        done = BatchResult.Nothing;
    }

    private async Task CommitPartitionsAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (filesLimit.IsReached(files)) filesLimit.Report(files, Records);
            foreach (var batch in partitions.All.Where(b => b.HasNews)) CountDropped(batch);
            var committed = await commit.RunAsync([.. partitions.All.Where(b => b.HasNews)], cancellationToken);
            done += committed.Result;
            foreach (var batch in partitions.All) batch.Continue();
            foreach (var partition in committed.Superseded)
            {
                partitions.Restart(partitions[partition]);
                superseded[partition] = partitions[partition].NextOffset;
            }
            (Records, Bytes, files) = (0, 0, 0);
        }
        catch
        {
            Abandon();
            throw;
        }
    }

    private async ValueTask AddSlowlyAsync(StreamRecord record, CancellationToken cancellationToken)
    {
        try
        {
            var batch = await partitions.OpenAsync(record.Partition, cancellationToken);
            var beginsPage = BeginsPage(in record);
            if (!batch.IsBegun || IsGap(batch, record.Offset, beginsPage))
                await CloseGapAsync(batch, record.Offset, beginsPage, cancellationToken);
            batch.IsBegun = true;
            await AddNextAsync(batch, record, cancellationToken);
        }
        catch (Exception e)
        {
            Abandon();
            if (NamesPath(e)) throw context.WithoutValues(e);
            throw;
        }
    }

    // Whoever delivers may leave something out anywhere; a consumer of one's own reads on from where it was told to begin.
    private bool IsGap(PartitionBatch batch, long offset, bool beginsPage) =>
        !readsInOrder && offset > batch.NextOffset && !batch.Continues(offset, beginsPage);

    private static bool BeginsPage(in StreamRecord record)
    {
        var begins = false;
        foreach (var header in record.Headers ?? [])
        {
            // What is sent again from quarantine names its schema, too.
            if (header.Name == StreamHeader.Replay) return false;
            // By its name alone the header may be another producer's, whose record follows no marker of ours.
            begins |= header is { Name: StreamHeader.Schema, Value: { } value } && SchemaStore.IsFingerprint(value);
        }
        return begins;
    }

    // In commits of its own where it is large.
    private async Task CloseGapAsync(PartitionBatch batch, long offset, bool beginsPage, CancellationToken cancellationToken)
    {
        while (await gap.FindAsync(batch, offset, beginsPage, cancellationToken) is { } missing)
            if (await AddRangeAsync(batch, missing, cancellationToken)) return;
    }

    // False when another instance stored the partition meanwhile: the gap is another one now.
    private async Task<bool> AddRangeAsync(PartitionBatch batch, OffsetRange range, CancellationToken cancellationToken)
    {
        await foreach (var record in context.Topic.ReadRangeAsync(batch.Partition, range.From, range.ToExclusive, cancellationToken))
        {
            await AddNextAsync(batch, record, cancellationToken);
            if (!IsFull) continue;
            await CommitPartitionsAsync(cancellationToken);
            if (superseded.ContainsKey(batch.Partition)) return false;
        }
        return true;
    }

    private async ValueTask AddNextAsync(PartitionBatch batch, StreamRecord record, CancellationToken cancellationToken)
    {
        var receiver = batch.Receiver;
        var frames = receiver.FramesOf(in record);
        if (WasWhole(batch, frames, record.Offset)) await CompletePageAsync(batch, nextPageAt: record.Offset, cancellationToken);
        if (frames is { Start: { } first, IsMisplaced: false })
            await CheckPlaceAsync(batch, first.Page, first.Previous, record.Offset, cancellationToken);
        else if (frames.Fence is { } begins) await CheckPlaceAsync(batch, begins.Page, 0, record.Offset, cancellationToken);
        if (record.Offset < batch.NextOffset)
        {
            done = done with { AlreadyStored = done.AlreadyStored + 1 };
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

    // Who published the page that begins here knows that the one that is open was whole: what lacks of that is lost.
    private static bool WasWhole(PartitionBatch batch, in RecordFrames frames, long offset) =>
        frames is { Start: { } next, IsMisplaced: false } && offset >= batch.NextOffset && batch.Receiver.Open is { } part
        && next.Previous == part.Start.Page && !batch.Receiver.IsMisplaced(part) && !batch.Receiver.IsLate(frames);

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
        Added(batch, sizeBefore, filesBefore, part.Count);
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
            await foreach (var record in context.Topic.ReadRangeAsync(batch.Partition, part.FirstOffset, toExclusive, cancellationToken))
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
        Added(batch, sizeBefore, filesBefore, 0);
    }

    // Whoever sent it takes the page for published, and nobody sends it again.
    private void QuarantineRest(PartitionBatch batch, StreamRecord record, RecordFrames frames)
    {
        var (sizeBefore, filesBefore) = (batch.Bytes, batch.Files.Count);
        batch.AddToQuarantine(in record, PageReceiver.RestOfGivenUp);
        batch.Decided(record.Offset, endsTransaction: frames.End is { IsNamed: false });
        Added(batch, sizeBefore, filesBefore, 1);
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
            Added(batch, bytesBefore, openBefore, 1);
            return;
        }
        await CheckBeginningAsync(batch, record.Offset, frames, cancellationToken);
        if (SchemaFinder.FingerprintIn(record.Headers) is { } fingerprint)
        {
            batch.Use(partitions.ShapeOf(fingerprint), isAssumed: false);
        }
        else if (batch.Shape is null)
        {
            var (schema, isAssumed) = await context.Schemas.FindAsync(batch.Partition, record.Offset, cancellationToken);
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
        Added(batch, sizeBefore, filesBefore, 1);
    }

    // Once a commit: late records come one by one.
    private void CountDropped(PartitionBatch batch)
    {
        var dropped = batch.Receiver.TakeDropped();
        if (dropped == default) return;
        batch.Dropped += dropped.Records + dropped.LateRecords;
        if (dropped is not { Records: 0, RepeatedPages: 0, UnfinishedPages: 0 })
            context.Logger.PagesDropped(batch.Partition, dropped.Records, dropped.RepeatedPages, dropped.UnfinishedPages);
        if (dropped.LateRecords > 0) context.Logger.LateRecordsDropped(batch.Partition, dropped.LateRecords, batch.Page);
        context.Metrics.PagesDropped(dropped.RepeatedPages, dropped.UnfinishedPages, dropped.Records + dropped.LateRecords);
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

    private void Added(PartitionBatch batch, long sizeBefore, int filesBefore, int records)
    {
        // On its way into a column it went through arrays that grew for it.
        if (records == 1 && batch.Bytes - sizeBefore < int.MaxValue) LargeAllocations.Count((int)(batch.Bytes - sizeBefore));
        Bytes += batch.Bytes - sizeBefore;
        files += batch.Files.Count - filesBefore;
        Records += records;
    }

    /// <summary>The partition's batch, where its first record was found to be the next one.</summary>
    private PartitionBatch? BegunBatch(int partition)
    {
        var batch = last is not null && last.Partition == partition ? last : partitions.TryGet(partition, out var open) ? open : null;
        return batch is { IsBegun: true } ? last = batch : null;
    }
}
