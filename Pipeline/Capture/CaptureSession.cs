using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Npgsql;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Kafka;
using OrdersStream.Postgres;
using OrdersStream.Rows;

namespace OrdersStream.Capture;

/// <summary>
/// What one poller holds while it is the one: the publisher and the position, on the connection with the lock. Any failure
/// ends the session as a whole; the next one finds its position anew, so no state survives that could be stale.
/// </summary>
internal sealed partial class CaptureSession : IDisposable
{
    private readonly NpgsqlConnection connection;
    private PagePublisher publisher;
    private readonly HorizonReader horizons;
    private readonly CaptureContext context;
    private readonly PageReader pages;
    private readonly SourceServer server;
    private readonly TopicChange look;
    private readonly PageWait pageWait;
    private readonly int partitions;
    private (long Window, long Timestamp) taken = (-1, 0);
    private Watermark? written;
    private bool hasNumber;
    private long? caughtUp;
    private TombstoneTable? tombstones;

    private CaptureSession(
        NpgsqlConnection connection, SourceServer server, PagePublisher publisher, TopicDescription topic, FoundPosition found,
        TombstoneTable? tombstones, CaptureContext context)
    {
        (this.connection, this.server, this.publisher, this.context) = (connection, server, publisher, context);
        var isCompressed = context.Options.Kafka.Compression != "none" && !context.HasRefusedRecord;
        var limit = RecordLimit.Of(topic.Settings, isCompressed);
        var tooLarge = new TooLargeRows(
            context.Options, limit, context.CrashPoints, context.Metrics, context.Logger, context.HasRefusedRecord ? HeadersOf : null);
        var lockWait = new LockWait(context.Options.Postgres, context.Time, context.Logger);
        pages = new PageReader(connection, context.Options.Postgres, topic.Partitions, tooLarge, lockWait, context.Time);
        horizons = new HorizonReader(connection, server, context.Options.Postgres, lockWait, context.Time);
        pageWait = new PageWait(new TopicAdmin(context.Options), topic.Identity, context.Time, context.Logger);
        look = new TopicChange(new TopicReader(context.Options), topic.Partitions, context.Time);
        partitions = topic.Partitions;
        (Watermark, written) = (found.Watermark!, found.File);
        this.tombstones = tombstones;
    }

    /// <summary>Where capture has got to.</summary>
    public Watermark Watermark { get; private set; }

    /// <summary>When it was last asked whether anything was committed, by the database's clock.</summary>
    public DateTime LookedAt { get; private set; }

    /// <summary>Opens the session of the connection that holds the lock.</summary>
    public static async Task<CaptureSession> OpenAsync(
        NpgsqlConnection connection, CaptureContext context, CancellationToken cancellationToken)
    {
        var options = context.Options;
        context.Repairs.Begin();
        var connecting = Task.Run(() => PagePublisher.Connect(options, context.CrashPoints), CancellationToken.None);
        try
        {
            var server = await SourceServer.ReadAsync(connection, cancellationToken);
            var table = await SourceCatalog.ReadAsync(connection, options.Postgres, cancellationToken);
            var source = server.IdentityOf(options.Postgres, table.Oid);
            context.CheckStorable?.Invoke(table.Schema);
            context.Infinite ??= await InfiniteValues.FindAsync(connection, table, options.Postgres, cancellationToken);
            Announce(context, server, table, source);

            var publisher = await connecting;
            var topic = await publisher.OpenAsync(partitions: null, cancellationToken);
            context.Topic.OpenedToPublish(topic);
            // Only now: the publisher has ended what its predecessor left open, so the topic's end stands still.
            var found = await new WatermarkRecovery(context).FindAsync(source, topic, publisher, cancellationToken);
            context.File.RemoveLeftovers(context.Time.GetUtcNow());
            var session = new CaptureSession(connection, server, publisher, topic, found, table.Tombstones, context);
            if (found.Torn is { } torn) await session.SendAgainAsync(torn, cancellationToken);
            return session;
        }
        catch
        {
            (await connecting).Dispose();
            throw;
        }
    }

    /// <summary>The topic got more partitions, or lost its end: another session goes on from what it finds.</summary>
    public Task<bool> IsOutdatedAsync(CancellationToken cancellationToken) => look.IsAnotherAsync(Watermark.Offsets, cancellationToken);

    /// <summary>The window in progress, or a new one; null: nothing was committed since the last, which this session took.</summary>
    public async Task<Window?> TakeWindowAsync(CancellationToken cancellationToken)
    {
        // Where nothing changes any more, too: what disturbed it may have cost the brokers what they had acknowledged.
        if (publisher.IsInDoubt) await RenewPublisherAsync(cancellationToken);
        var asked = context.Time.GetTimestamp();
        // With each poll, too: that the session still is the poller's.
        (var snapshot, LookedAt) = await horizons.SnapshotAsync(context.Options.PublisherName, cancellationToken);
        // Written down at once: by the next horizon, or the next session, the clock may have caught up.
        if (Watermark.Seeing(LookedAt) is var seeing && seeing != Watermark) Save(seeing);
        var isTooOld = WindowPlan.IsTooOld(Watermark.Window, Horizon.XmaxOf(snapshot));
        if (!isTooOld && Watermark.Window is { } inProgress && IsOfThisTime(inProgress.To))
            return Resume(inProgress, await SourceCatalog.ReadAsync(connection, context.Options.Postgres, cancellationToken));

        var last = Watermark.Window?.From ?? Watermark.Horizon;
        // Only of a horizon of this session: one before may have been configured otherwise, by which the same rows read otherwise, and what
        // it held back this one may remember. After a restart of the server the counter may have come to the same place again.
        if (Watermark.Window is null && last is not null && taken.Window == Watermark.WindowNumber && IsOfThisTime(last)
            && snapshot == last.Snapshot && last.Tombstones == tombstones?.Oid)
        {
            if (last.HeldBack is null) caughtUp = asked;
            return null;
        }

        var table = await SourceCatalog.ReadAsync(connection, context.Options.Postgres, cancellationToken);
        tombstones = table.Tombstones;
        Announce(context, server, table, Watermark.Source with { Timeline = server.Timeline });
        var again = await SeeAgainAsync(table, cancellationToken);
        if (!isTooOld && GoOn(table, again) is { } goesOn) return goesOn;
        var window = await NextWindowAsync(table, last, again, isTooOld, cancellationToken);
        Watermark = Watermark.Begin(window) with { Source = Watermark.Source with { Timeline = server.Timeline } };
        taken = (window.Number, context.Time.GetTimestamp());
        context.CrashPoints.Reached(CrashPoint.WindowTaken);
        return Watermark.Window;
    }

    private Window Resume(Window inProgress, SourceTable table)
    {
        var window = inProgress.For(table).Reading(table.Tombstones);
        if (window.Cursor is null && inProgress.Cursor is not null)
            context.Logger.Rereading("the table has another key, under which a position in the old one means nothing", "the window");
        Watermark = Watermark with { Window = window };
        return window;
    }

    /// <summary>What is left of the newest horizon where the server was started anew, or another took its place.</summary>
    /// <returns>Null: there is no horizon yet.</returns>
    private async Task<SeenAgain?> SeeAgainAsync(SourceTable table, CancellationToken cancellationToken)
    {
        if ((Watermark.Window?.To ?? Watermark.Horizon) is not { } newest) return null;
        return IsOfThisTime(newest)
            ? new(newest, Rewind.None)
            : await horizons.AfterRestartAsync(table, newest, IsOfAnotherTimeline, cancellationToken);
    }

    /// <summary>The window in progress where the server was started anew meanwhile, as far as its ids still mean what they did.</summary>
    private Window? GoOn(SourceTable table, SeenAgain? again)
    {
        if (Watermark.Window is not { } inProgress || again?.Left is not { } to) return null;
        NoteLessThan(inProgress.To, to);
        return Resume(inProgress with { To = to }, table);
    }

    private void NoteLessThan(Horizon before, Horizon left)
    {
        if (left.HasLessThan(before)) context.Logger.LookingAgainAfterRestart();
    }

    private async Task<Window> NextWindowAsync(
        SourceTable table, Horizon? last, SeenAgain? again, bool isTooOld, CancellationToken cancellationToken)
    {
        // A window that is given up leaves pages behind: what its ids say is not gone on from.
        var known = Watermark.Window is null ? again?.Left : isTooOld && last is not null && IsOfThisTime(last) ? last : null;
        if (known is not null) NoteLessThan(last!, known);
        (var to, var change, table) = await horizons.TakeAsync(table, known, cancellationToken);
        if (change.Reread.Length > 0 && context.Options.Postgres.ChangedValues == "leave")
        {
            context.Logger.ChangedValuesLeft(change.Reread);
            change = change with { Reread = "" };
        }
        // The newest horizon is the one that is of the source's timeline: behind a promotion that before a window in progress is not.
        var onItsDisk = (Watermark.Window?.To ?? last)?.Lsn ?? 0;
        var rewind = to.Lsn < onItsDisk && !IsOfAnotherTimeline ? Rewind.BehindItsDisk
            : known is not null ? Rewind.None
            : again is { Rewind: not Rewind.None } ? again.Rewind : Rewind.Some;
        var plan = WindowPlan.Next(
            Watermark.WindowNumber + 1, known ?? last, to, change, rewind, TimeSpan.FromSeconds(context.Options.Postgres.OverlapSeconds),
            Watermark.Window);
        if (plan.IsReread)
            context.Logger.Rereading(plan.Reason, plan.Window.LowerBound is { } bound ? $"rows from {bound:O} on" : "all rows");
        if (plan.AnyTimeReason.Length > 0) context.Logger.LookingAtAllRows(plan.AnyTimeReason);
        WarnOfTombstonesGone(last, to);
        if (change.AreKeysInDoubt) context.Logger.KeysInDoubt(table.Key);
        if (change.AreDeletesInDoubt) context.Logger.DeletesInDoubt(table.Tombstones!.QualifiedName);
        return plan.Window.For(table) with { IsOfAllTombstones = last is not null && to.Tombstones is { } oid && last.Tombstones != oid };
    }

    /// <summary>The rest of the window, page by page.</summary>
    public async IAsyncEnumerable<Page> PagesAsync(Window window, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var begun = context.Time.GetTimestamp();
        await foreach (var page in pages.ReadAsync(window, Watermark.Source, cancellationToken))
        {
            context.Metrics.PageRead(page.Records.Length, context.Time.GetElapsedTime(begun));
            yield return page;
            begun = context.Time.GetTimestamp();
        }
    }

    /// <summary>Page committed, watermark written: in this order (invariant 5).</summary>
    public async Task PublishAsync(Page page, CancellationToken cancellationToken)
    {
        var window = Watermark.Window!.ReadBy(page.Schema);
        Watermark = Watermark with { Window = window };
        var (cursor, rows) = (page.Cursor!, page.Records.Length);
        if (page.IsOfMarked)
            await PublishAsync(page, window.Marked, () => Watermark.AdvanceMarked(cursor, rows), cancellationToken);
        else if (page.IsDeletes)
            await PublishAsync(page, window.Deleted, () => Watermark.AdvanceDeletes(cursor, rows), cancellationToken);
        else
            await PublishAsync(page, window.Cursor, () => Watermark.Advance(cursor, rows), cancellationToken);
    }

    private async Task PublishAsync(Page page, Cursor? before, Func<Watermark> advance, CancellationToken cancellationToken)
    {
        if (publisher.IsInDoubt) await RenewPublisherAsync(cancellationToken);
        if (!hasNumber) PassNumberOver();
        var after = advance();
        var counts = await SendAsync(new OutgoingPage(page, after, before, Watermark.PagesOrNone), cancellationToken);
        Save(after.Sent(counts, context.Options.Kafka.IsTransactional));
        if (publisher.IsInDoubt) await RenewPublisherAsync(cancellationToken);
    }

    /// <summary>
    /// Sends the rest of a page that Kafka tore, for exactly its range: rows of it may have moved on to a later window, so what is sent is
    /// a part of what was to be, and partitions that have theirs lose nothing by passing it over (invariant 2).
    /// </summary>
    private async Task SendAgainAsync(TornPage torn, CancellationToken cancellationToken)
    {
        var window = Watermark.Window!.Reading(tombstones);
        Watermark = Watermark with { Window = window };
        // Its transaction ids mean nothing any more: the next window reads further back, and its pages have numbers of their own.
        if (IsOfAnotherTimeline) return;
        var (snapshot, _) = await horizons.SnapshotAsync(context.Options.PublisherName, cancellationToken);
        if (WindowPlan.IsTooOld(window, Horizon.XmaxOf(snapshot))) return;
        var page = await pages.ReadAgainAsync(torn, window, Watermark.Source, cancellationToken);
        context.Logger.PageSentAgain(torn.Page, torn.Missing.Count, torn.Partitions.Count, page.Records.Length);
        if (page.Records.Length == 0)
        {
            // Their table may not be there any more: what the page lacked is among all that the next window reads.
            if (window.Cursor is null) Watermark = Watermark with { Window = window.Reading(null) };
            return;
        }
        Watermark = Watermark with { Window = window.ReadBy(page.Schema) };
        // Behind a fence, which may be an earlier session's, the old number would be a late one's.
        if (!context.Options.Kafka.IsTransactional || Watermark.PageNumber != torn.Page)
            Watermark = Watermark with { PageNumber = Watermark.PageNumber + 1 };
        var counts = await SendAsync(
            new OutgoingPage(page, Watermark, torn.Before, Watermark.PagesOrNone, torn), cancellationToken);
        Save(Watermark.Sent(counts, context.Options.Kafka.IsTransactional));
    }

    /// <summary>
    /// A request of the publisher may still be on its way: one that is made anew has an epoch that refuses it, before the next page begins.
    /// One that slept would refuse its successor, too, and go on from a position that is old: so the topic must know of no newer page.
    /// </summary>
    private async Task RenewPublisherAsync(CancellationToken cancellationToken)
    {
        context.Logger.PublisherRenewed(Watermark.PageNumber);
        publisher.Dispose();
        publisher = PagePublisher.Connect(context.Options, context.CrashPoints);
        // A page says by how many partitions its rows were cut. Where there are more by now, another's newest page may stand in those.
        var topic = await publisher.OpenAsync(partitions, cancellationToken);
        // One that was made anew meanwhile may have as many records by now.
        WatermarkRecovery.CheckTopic(context.File.Path, Watermark.Topic, topic.Identity);
        if (topic.Partitions > partitions)
            throw new PipelineException(FailureAction.Retry,
                $"Topic '{context.Options.Kafka.Topic}' got more partitions while its publisher was made anew.",
                "They are used from now on.");
        var lost = await new PromisedEnds(new TopicReader(context.Options), context.Time)
            .FindLostAsync(Watermark.Offsets, partitions, cancellationToken);
        if (lost.IsEmpty)
        {
            var tail = await new TopicTail(context.Options, context.Time)
                .ReadAsync(
                    Watermark.Offsets, Watermark.PagesOrNone, topic with { Partitions = partitions }, isAfterLoss: false,
                    cancellationToken);
            lost = tail.LostOf(Watermark.Offsets, publisher.Incarnation);
            if (lost.IsEmpty && tail.NewestPage > Watermark.PageNumber) throw publisher.Replaced();
            if (lost.IsEmpty) return;
        }
        throw new PipelineException(new FailureVerdict(FailureAction.Retry,
            $"The brokers lost the end of topic '{context.Options.Kafka.Topic}' in {lost.Count} partitions.",
            "What is still in the table is captured again.", SeesItself: true));
    }

    /// <summary>
    /// How long ago a row of the window can have been committed: it was not visible at the horizon before, nor when a poll last found
    /// nothing. Null: there was no horizon before, or none that had all.
    /// </summary>
    public TimeSpan? LagOf(Window window)
    {
        if (window.From?.CompleteUpTo is not { } completeUpTo) return null;
        // By the database's clock, and this process's stopwatch since;
        // a window that another process took leaves only the clocks to compare.
        var now = taken.Window == window.Number
            ? window.To.TakenAt + context.Time.GetElapsedTime(taken.Timestamp)
            : context.Time.GetUtcNow().UtcDateTime;
        return CaptureLag.Of(completeUpTo, caughtUp is { } then ? now - context.Time.GetElapsedTime(then) : null, now);
    }

    /// <summary>The window is published whole.</summary>
    public void CompleteWindow()
    {
        Save(Watermark.Complete());
        context.HasRefusedRecord = false;
    }

    public void Dispose() => publisher.Dispose();

    private async Task<int[]> SendAsync(OutgoingPage outgoing, CancellationToken cancellationToken)
    {
        var begun = context.Time.GetTimestamp();
        try
        {
            var counts = await pageWait.OfAsync(
                outgoing.After.PageNumber, token => publisher.PublishAsync(outgoing, token), cancellationToken);
            context.Metrics.PagePublished(outgoing.Page.Records.Length, outgoing.Page.Bytes, context.Time.GetElapsedTime(begun));
            return counts;
        }
        catch (Exception e)
        {
            context.Metrics.PageFailed(e, context.Time.GetElapsedTime(begun));
            if (e is not KafkaException { Error.Code: ErrorCode.MsgSizeTooLarge } || context.HasRefusedRecord) throw;
            // Which one is not said: the next session finds it, since there each row must fit as it is.
            context.HasRefusedRecord = true;
            throw new PipelineException(FailureAction.Retry,
                "The brokers refused a record of a page: compressed, too, it is larger than the topic's max.message.bytes, or was sent "
                + "with others in a batch that is, the limit having been lowered since.",
                "The page is read again, to find the row, and sent in batches that the topic takes.", e);
        }
    }

    /// <summary>What comes with the only record of a page, which is its first and its last.</summary>
    private long HeadersOf(TableSchema schema, int keyBytes)
    {
        var page = new Page(0).Begin(schema);
        page.Add([], [], partition: 0);
        var isNamed = !context.Options.Kafka.IsTransactional;
        var most = new PageHeaders(
            new OutgoingPage(page, Watermark, Watermark.Window?.Cursor, Watermark.PagesOrNone), context.Options.StreamName,
            publisher.Incarnation, isNamed, partitions, positionBytesEverywhere: int.MaxValue);
        return PageHeaders.BytesOf(most.Next(0)!, partitions, keyBytes);
    }

    // In what the file says already: a position is written only once its page is out (invariant 5).
    private void PassNumberOver()
    {
        Watermark = Watermark.PassNumberOver(context.Options.Kafka.Delivery);
        written = (written ?? Watermark.Start(Watermark.Source, Watermark.Topic)) with
        {
            UsedNumber = Watermark.UsedNumber, Delivery = Watermark.Delivery,
        };
        context.File.Write(written, context.CrashPoints);
        hasNumber = true;
    }

    private void Save(Watermark watermark)
    {
        context.File.Write(watermark, context.CrashPoints);
        Watermark = written = watermark;
    }

    /// <summary>
    /// After a promotion or a restored backup committed rows may have vanished, and their transaction ids been given to others.
    /// </summary>
    private bool IsOfAnotherTimeline => Watermark.Source.Timeline != server.Timeline;

    /// <summary>The ids of a horizon mean what they did: the server is the one that it was, and was not started anew.</summary>
    private bool IsOfThisTime(Horizon horizon) => !IsOfAnotherTimeline && horizon.ServerStarted == server.StartedAt;

    // Once, and again when it is another: a session that is opened anew after each failure has nothing new to say.
    private static void Announce(CaptureContext context, SourceServer server, SourceTable table, SourceIdentity source)
    {
        var warnings = table.Warnings().AddRange(server.Warnings(context.Options.Postgres));
        if (InfiniteValues.Warning(context.Infinite ?? []) is { } infinite) warnings = warnings.Add(infinite);
        var announcement = $"{source} {table.Schema.Fingerprint}\n{string.Join('\n', warnings)}";
        if (context.Announced == announcement) return;
        context.Announced = announcement;
        if (context.Columns is { } before && before.Fingerprint != table.Schema.Fingerprint)
            context.Logger.ColumnsChanged(table.Schema.ChangesSince(before));
        context.Columns = table.Schema;
        context.Logger.SourceOpened(source.ToString(), table.Schema.Columns.Length, table.Schema.Fingerprint);
        foreach (var warning in warnings) context.Logger.SourceWarning(warning.ToString());
    }
}

/// <summary>What a session needs of its surroundings.</summary>
internal sealed record CaptureContext(
    PipelineOptions Options, WatermarkFile File, TopicWatch Topic, CrashPoints CrashPoints, TimeProvider Time, PipelineMetrics Metrics,
    ILogger Logger)
{
    /// <summary>What is asked of the poller beside its windows.</summary>
    public RepairRequests Repairs { get; } = new(Options, CrashPoints);

    /// <summary>Refuses a table whose rows nobody could store.</summary>
    public Action<TableSchema>? CheckStorable { get; init; }

    /// <summary>What was last said of the source.</summary>
    public string? Announced { get; set; }

    /// <summary>Columns that hold infinity, as far as it was seen when capture began; null: nobody has looked yet.</summary>
    public ImmutableArray<string>? Infinite { get; set; }

    /// <summary>The table's columns as they were then.</summary>
    public TableSchema? Columns { get; set; }

    /// <summary>Where capture was last said to begin or to go on: a session that is opened anew has nothing new to say.</summary>
    public string? SaidBeginning { get; set; }

    /// <summary>When it was last tried, to no use, to remove tombstones that were published; null: it was of use.</summary>
    public long? TombstonesKeptAt { get; set; }

    /// <summary>The window has a record that was refused for its size, though it is compressed.</summary>
    public bool HasRefusedRecord { get; set; }
}
