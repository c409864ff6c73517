using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using Npgsql;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Postgres;
using OrdersStream.Rows;

namespace OrdersStream.Capture;

/// <summary>
/// What one poller holds while it is the one: the publisher and the position, on the connection with the lock. Any failure
/// ends the session as a whole; the next one finds its position anew, so no state survives that could be stale.
/// </summary>
internal sealed class CaptureSession : IDisposable
{
    private readonly NpgsqlConnection connection;
    private readonly PagePublisher publisher;
    private readonly HorizonReader horizons;
    private readonly CaptureContext context;
    private readonly PageReader pages;
    private readonly SourceServer server;
    private (long Window, long Timestamp) taken = (-1, 0);
    private long? caughtUp;

    private CaptureSession(
        NpgsqlConnection connection, SourceServer server, PagePublisher publisher, int partitions, Watermark watermark,
        CaptureContext context)
    {
        (this.connection, this.server, this.publisher, this.context) = (connection, server, publisher, context);
        pages = new PageReader(connection, context.Options.Postgres, partitions, context.Time);
        horizons = new HorizonReader(connection, server, context.Options.Postgres);
        Watermark = watermark;
    }

    /// <summary>Where capture has got to.</summary>
    public Watermark Watermark { get; private set; }

    /// <summary>Opens the session of the connection that holds the lock.</summary>
    public static async Task<CaptureSession> OpenAsync(
        NpgsqlConnection connection, CaptureContext context, CancellationToken cancellationToken)
    {
        var options = context.Options;
        var connecting = Task.Run(() => PagePublisher.Connect(options, context.CrashPoints), CancellationToken.None);
        try
        {
            var server = await SourceServer.ReadAsync(connection, cancellationToken);
            var table = await SourceCatalog.ReadAsync(connection, options.Postgres, cancellationToken);
            var source = new SourceIdentity(
                server.System, server.Timeline, options.Postgres.Db, $"{options.Postgres.Schema}.{options.Postgres.Table}", table.Oid);
            Announce(context, server, table, source);

            var publisher = await connecting;
            var topic = await publisher.OpenAsync(cancellationToken);
            // Only now: the publisher has ended what its predecessor left open, so the topic's end stands still.
            var watermark = await new WatermarkRecovery(context).FindAsync(source, topic, cancellationToken);
            // With nothing to publish too: records that are in the topic may name it, and its file be lost.
            context.Schemas.Write(table.Schema);
            context.File.RemoveLeftovers(context.Time.GetUtcNow());
            return new CaptureSession(connection, server, publisher, topic.Partitions, watermark, context);
        }
        catch
        {
            (await connecting).Dispose();
            throw;
        }
    }

    /// <summary>The window in progress, or a new one; null: nothing was committed since the last.</summary>
    public async Task<Window?> TakeWindowAsync(CancellationToken cancellationToken)
    {
        if (Watermark.Window is { } inProgress && !IsOfAnotherTime(inProgress.To)) return inProgress;

        var last = Watermark.Window?.From ?? Watermark.Horizon;
        var asked = context.Time.GetTimestamp();
        // After a restart the counter may have come to the same place again.
        if (Watermark.Window is null && last is not null && !IsOfAnotherTime(last) && last.ServerStarted == server.StartedAt
            && await horizons.SnapshotAsync(cancellationToken) == last.Snapshot)
        {
            caughtUp = asked;
            return null;
        }

        var table = await SourceCatalog.ReadAsync(connection, context.Options.Postgres, cancellationToken);
        var rewound = last is not null && IsOfAnotherTime(last) || Watermark.Window is { } abandoned && IsOfAnotherTime(abandoned.To);
        var to = await horizons.TakeAsync(table, rewound ? null : last, cancellationToken);
        if (!rewound && last is not null && to.Xmax < last.NeverAgainBelow)
            throw new PipelineException(FailureAction.Stop,
                $"The server's transaction counter went back below {last.NeverAgainBelow} to {to.Xmax} on one timeline: "
                + "its data directory was replaced by an older copy.",
                "Rows may have vanished, and no position in them can be trusted: start a new stream with a new topic, "
                + "new streaming folders and a new datalake.path.");
        var overlap = TimeSpan.FromSeconds(context.Options.Postgres.OverlapSeconds);
        var window = WindowPlan.Next(Watermark.WindowNumber + 1, last, to, rewound, overlap);
        if (window.IsReread) context.Logger.Rereading(window.Reason, window.Window.LowerBound);
        Watermark = Watermark.Begin(window.Window) with { Source = Watermark.Source with { Timeline = server.Timeline } };
        taken = (window.Window.Number, context.Time.GetTimestamp());
        context.CrashPoints.Reached(CrashPoint.WindowTaken);
        return window.Window;
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

    /// <summary>Schema durable, page committed, watermark written: in this order (invariant 5).</summary>
    public async Task PublishAsync(Page page, CancellationToken cancellationToken)
    {
        context.Schemas.Write(page.Schema);
        var after = Watermark.Advance(page.Cursor!, page.Records.Length);
        var counts = await SendAsync(page, (after with { Offsets = Watermark.NoOffsets }).ToJson(), cancellationToken);
        // A record takes one offset and so does each partition's transaction marker. Others' records only move the true end further.
        var offsets = Watermark.Offsets.ToBuilder();
        for (var p = 0; p < counts.Length; p++)
            if (counts[p] > 0) offsets[p] = offsets.GetValueOrDefault(p) + counts[p] + 1;
        Save(after with { Offsets = offsets.ToImmutable() });
    }

    /// <summary>
    /// How long ago a row of the window can have been committed: it was not visible at the horizon before, nor when a poll last found
    /// nothing. Null: there was no horizon before.
    /// </summary>
    public TimeSpan? LagOf(Window window)
    {
        if (window.From is not { } from) return null;
        // By the database's clock, and this process's stopwatch since;
        // a window that another process took leaves only the clocks to compare.
        var now = taken.Window == window.Number
            ? window.To.TakenAt + context.Time.GetElapsedTime(taken.Timestamp)
            : context.Time.GetUtcNow().UtcDateTime;
        return CaptureLag.Of(from.TakenAt, caughtUp is { } then ? now - context.Time.GetElapsedTime(then) : null, now);
    }

    /// <summary>The window is published whole.</summary>
    public void CompleteWindow() => Save(Watermark.Complete());

    public void Dispose() => publisher.Dispose();

    private async Task<int[]> SendAsync(Page page, byte[] position, CancellationToken cancellationToken)
    {
        var begun = context.Time.GetTimestamp();
        try
        {
            var counts = await publisher.PublishAsync(page, position, cancellationToken);
            context.Metrics.PagePublished(page.Records.Length, page.Bytes, context.Time.GetElapsedTime(begun));
            return counts;
        }
        catch (Exception e)
        {
            context.Metrics.PageFailed(e, context.Time.GetElapsedTime(begun));
            throw;
        }
    }

    private void Save(Watermark watermark)
    {
        context.File.Write(watermark, context.CrashPoints);
        Watermark = watermark;
    }

    /// <summary>
    /// Committed rows may have vanished, and their transaction ids been given to others: after a promotion or a restored
    /// backup, and after a restart of a server that acknowledges commits before they are durable.
    /// </summary>
    private bool IsOfAnotherTime(Horizon horizon) =>
        Watermark.Source.Timeline != server.Timeline || (horizon.ServerStarted != server.StartedAt && !server.CommitsAreSynchronous);

    // Once, and again when it is another: a session that is opened anew after each failure has nothing new to say.
    private static void Announce(CaptureContext context, SourceServer server, SourceTable table, SourceIdentity source)
    {
        var warnings = table.Warnings().AddRange(server.Warnings(context.Options.Postgres));
        var announcement = string.Join('\n', warnings.Insert(0, $"{source} {table.Schema.Fingerprint}"));
        if (context.Announced == announcement) return;
        context.Announced = announcement;
        context.Logger.SourceOpened(source.ToString(), table.Schema.Columns.Length, table.Schema.Fingerprint);
        foreach (var warning in warnings) context.Logger.SourceWarning(warning);
    }
}

/// <summary>What a session needs of its surroundings.</summary>
internal sealed record CaptureContext(
    PipelineOptions Options, WatermarkFile File, SchemaStore Schemas, CrashPoints CrashPoints, TimeProvider Time, PipelineMetrics Metrics,
    ILogger Logger)
{
    /// <summary>What was last said of the source.</summary>
    public string? Announced { get; set; }
}
