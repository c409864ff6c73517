using System.Data;
using Microsoft.Extensions.Logging;
using Npgsql;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Kafka;
using OrdersStream.Postgres;
using OrdersStream.Rows;

namespace OrdersStream.Capture;

/// <summary>How a poll ended.</summary>
public enum PollOutcome
{
    /// <summary>Rows were published.</summary>
    Published,
    /// <summary>There was nothing to publish.</summary>
    Idle,
    /// <summary>Another instance holds the poller's lock.</summary>
    StandingBy,
    /// <summary>Nothing could be published, and there are committed rows that are not.</summary>
    HeldBack,
}

/// <summary>What one poll did.</summary>
/// <param name="Outcome">How it ended.</param>
/// <param name="Rows">Row versions published.</param>
/// <param name="Bytes">Bytes of their keys and values.</param>
/// <param name="Pages">Kafka transactions committed.</param>
/// <param name="WindowDone">False when the time budget ended inside a window, or what was asked for is not done: more is waiting.</param>
/// <param name="Duration">Time for the whole poll.</param>
public sealed record PollResult(PollOutcome Outcome, long Rows, long Bytes, int Pages, bool WindowDone, TimeSpan Duration)
{
    /// <summary>The window that was published, or a part of it.</summary>
    public Window? Window { get; init; }

    /// <summary>Its number; null: there was none.</summary>
    public long? WindowNumber => Window?.Number;

    /// <summary>
    /// The longest time that a published row can have been committed; null: it was no window between two horizons, but all rows.
    /// </summary>
    public TimeSpan? Lag { get; init; }

    /// <summary>Nothing of the table was captured whole before.</summary>
    public bool IsInitialLoad { get; init; }

    /// <summary>Where another instance is the poller: its session; null: not known.</summary>
    public string? Holder { get; init; }

    /// <summary>Whatever was committed before is in the topic, by the database's clock; null: that is not known to be so.</summary>
    public DateTimeOffset? CapturedUpTo { get; init; }

    /// <summary>Row versions that were published again by request, beside those of the window.</summary>
    public long RepairedRows { get; init; }

    /// <summary>Committed rows that are not published, whatever else was; null: none.</summary>
    internal HeldBack? HeldBack { get; init; }
}

/// <summary>Committed rows that wait for the end of a transaction, since more were committed behind it than are remembered.</summary>
/// <param name="Holder">The transaction; null: it has ended meanwhile.</param>
internal sealed record HeldBack(OldestOpen? Holder);

/// <summary>
/// The capturing half: position -> window -> page -> publish -> acknowledged -> position. One instance serves one process,
/// one poll at a time; it keeps its session between polls, and any failure ends that.
/// </summary>
/// <param name="options">The stream's configuration.</param>
/// <param name="topic">What is known of the topic.</param>
/// <param name="time">The clock.</param>
/// <param name="crashPoints">Those of the process.</param>
/// <param name="metrics">The stream's.</param>
/// <param name="logger">Of its lines.</param>
/// <param name="checkStorable">Refuses a table whose rows nobody could store, before any is published.</param>
public sealed class PostgresToKafka(
    PipelineOptions options, TopicWatch topic, TimeProvider time, CrashPoints crashPoints, PipelineMetrics metrics, ILogger logger,
    Action<TableSchema>? checkStorable = null)
    : IAsyncDisposable
{
    /// <summary>How long one poll goes on publishing before it lets its caller see how far it is.</summary>
    public static readonly TimeSpan PollBudget = TimeSpan.FromMinutes(1);

    private readonly CaptureContext context = new(
        options, new WatermarkFile(options), topic, crashPoints, time, metrics, logger) { CheckStorable = checkStorable };

    private readonly PollLog log = new(options.Postgres.SeenTransactions, time, logger);
    private readonly HiddenWatch hidden = new(time, logger);
    private NpgsqlConnection? connection;
    private CaptureSession? session;

    /// <summary>
    /// One poll: takes or resumes a window and publishes its pages until it is done or <paramref name="budget"/> is spent.
    /// </summary>
    /// <exception cref="Exception">
    /// Whatever failed; <see cref="FailurePolicy"/> says what to do about it. The next poll starts from the durable position.
    /// </exception>
    public async Task<PollResult> PollAsync(TimeSpan budget, CancellationToken cancellationToken)
    {
        var begun = time.GetTimestamp();
        try
        {
            if (session is not null) await topic.LookAgainToPublishAsync(cancellationToken);
            if (session is not null && await session.IsOutdatedAsync(cancellationToken)) EndSession();
            session ??= await OpenSessionAsync(cancellationToken);
            var poll = session is null
                ? new(PollOutcome.StandingBy, 0, 0, 0, true, default) { Holder = await HolderAsync(cancellationToken) }
                : await PublishAsync(session, begun, budget, cancellationToken);
            if (session is not null)
            {
                poll = await WithHeldBackAsync(poll, session.Watermark, cancellationToken);
                await hidden.LookAsync(connection!, cancellationToken);
            }
            poll = poll with { Duration = time.GetElapsedTime(begun) };
            log.Polled(poll);
            metrics.Polled(poll.Outcome, poll.Duration);
            return poll;
        }
        catch (Exception e)
        {
            var isConnected = connection is null or { State: ConnectionState.Open };
            // What this process believes may be stale now; the files and the topic are not.
            await DisposeAsync();
            if (FailurePolicy.OfStatement(e, isConnected, options.Postgres.Address) is { } ours) throw ours;
            throw;
        }
    }

    // Repairs first: what Kafka tore of one is met by the same rows, before others come.
    private async Task<PollResult> PublishAsync(
        CaptureSession capture, long begun, TimeSpan budget, CancellationToken cancellationToken)
    {
        var repair = await capture.RepairAsync(cancellationToken);
        var poll = await PublishWindowAsync(capture, begun, budget, cancellationToken);
        await capture.RemoveTombstonesAsync(cancellationToken);
        return poll with { RepairedRows = repair.Rows, WindowDone = poll.WindowDone && !repair.IsMore };
    }

    private async Task<PollResult> PublishWindowAsync(
        CaptureSession capture, long begun, TimeSpan budget, CancellationToken cancellationToken)
    {
        var poll = new PollResult(PollOutcome.Idle, 0, 0, 0, true, default);
        while (poll.Pages == 0 && await capture.TakeWindowAsync(cancellationToken) is { } window)
        {
            await foreach (var page in capture.PagesAsync(window, cancellationToken))
            {
                await capture.PublishAsync(page, cancellationToken);
                var isEnough = time.GetElapsedTime(begun) >= budget;
                var (rows, bytes) = (poll.Rows + page.Records.Length, poll.Bytes + page.Bytes);
                poll = new(PollOutcome.Published, rows, bytes, poll.Pages + 1, !isEnough, default)
                {
                    Window = window, Lag = capture.LagOf(window), IsInitialLoad = capture.Watermark.Horizon is null,
                };
                if (isEnough) return poll;
            }
            capture.CompleteWindow();
            // A window that was in progress, and had no page left, says nothing about what was committed since.
            if (window.Page == 0) return poll with { CapturedUpTo = window.To.TakenAt };
        }
        return poll.Pages == 0 ? poll with { CapturedUpTo = capture.LookedAt } : poll;
    }

    /// <summary>What the last horizon holds back is not published, though nothing is left of its window.</summary>
    private async Task<PollResult> WithHeldBackAsync(PollResult poll, Watermark position, CancellationToken cancellationToken)
    {
        if (position is not { Window: null, Horizon: { HeldBack: not null } horizon }) return poll;
        var writer = await OpenTransactions.OldestWriterAsync(connection!, cancellationToken);
        return poll with
        {
            Outcome = poll.Pages == 0 ? PollOutcome.HeldBack : poll.Outcome,
            CapturedUpTo = null,
            HeldBack = new(writer is not null && writer.Holds(horizon) ? writer.Transaction : null),
        };
    }

    // The lock stays: it is the connection's.
    private void EndSession()
    {
        session?.Dispose();
        session = null;
    }

    /// <returns>Null: another instance is the poller (one at a time, by the lock of the session).</returns>
    private async Task<CaptureSession?> OpenSessionAsync(CancellationToken cancellationToken)
    {
        connection ??= await SourceConnection.OpenAsync(options.Postgres, cancellationToken);
        if (!await PollerLock.TryTakeAsync(connection, options.PublisherName, cancellationToken)) return null;
        return await CaptureSession.OpenAsync(connection, context, cancellationToken);
    }

    private async Task<string?> HolderAsync(CancellationToken cancellationToken) =>
        connection is null ? null : await PollerLock.HolderAsync(connection, options.PublisherName, cancellationToken);

    /// <summary>Where capture has got to in this process; null before the first poll and after a failure.</summary>
    public Watermark? Watermark => session?.Watermark;

    public async ValueTask DisposeAsync()
    {
        var (s, c) = (session, connection);
        (session, connection) = (null, null);
        s?.Dispose();
        if (c is not null) await c.DisposeAsync();
    }
}
