using System.Data;
using Microsoft.Extensions.Logging;
using Npgsql;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
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
}

/// <summary>What one poll did.</summary>
/// <param name="Outcome">How it ended.</param>
/// <param name="Rows">Row versions published.</param>
/// <param name="Bytes">Bytes of their keys and values.</param>
/// <param name="Pages">Kafka transactions committed.</param>
/// <param name="WindowDone">False when the time budget ended inside a window: more is waiting.</param>
/// <param name="Duration">Time for the whole poll.</param>
public sealed record PollResult(PollOutcome Outcome, long Rows, long Bytes, int Pages, bool WindowDone, TimeSpan Duration)
{
    /// <summary>The window that was published, or a part of it.</summary>
    public Window? Window { get; init; }

    /// <summary>
    /// The longest time that a published row can have been committed; null: it was no window between two horizons, but all rows.
    /// </summary>
    public TimeSpan? Lag { get; init; }

    /// <summary>Where nothing was published: whatever was committed before is in the topic.</summary>
    public DateTimeOffset? CapturedUpTo { get; init; }
}

/// <summary>
/// The capturing half: position -> window -> page -> publish -> acknowledged -> position. One instance serves one process,
/// one poll at a time; it keeps its session between polls, and any failure ends that.
/// </summary>
public sealed class PostgresToKafka(
    PipelineOptions options, TimeProvider time, CrashPoints crashPoints, PipelineMetrics metrics, ILogger logger) : IAsyncDisposable
{
    private readonly CaptureContext context = new(
        options, new WatermarkFile(options), new SchemaStore(options.Streaming.CheckpointLocation, crashPoints, options.StreamName),
        crashPoints, time, metrics, logger);

    private readonly PollLog log = new(time, logger);
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
            session ??= await OpenSessionAsync(cancellationToken);
            var poll = session is null
                ? new(PollOutcome.StandingBy, 0, 0, 0, true, default)
                : await PublishWindowAsync(session, begun, budget, cancellationToken);
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
            if (FailurePolicy.OfStatement(e, isConnected) is { } ours) throw ours;
            throw;
        }
    }

    private async Task<PollResult> PublishWindowAsync(
        CaptureSession capture, long begun, TimeSpan budget, CancellationToken cancellationToken)
    {
        var begunAt = time.GetUtcNow();
        var poll = new PollResult(PollOutcome.Idle, 0, 0, 0, true, default) { CapturedUpTo = begunAt };
        while (poll.Pages == 0 && await capture.TakeWindowAsync(cancellationToken) is { } window)
        {
            await foreach (var page in capture.PagesAsync(window, cancellationToken))
            {
                await capture.PublishAsync(page, cancellationToken);
                var isEnough = time.GetElapsedTime(begun) >= budget;
                var (rows, bytes) = (poll.Rows + page.Records.Length, poll.Bytes + page.Bytes);
                poll = new(PollOutcome.Published, rows, bytes, poll.Pages + 1, !isEnough, default)
                {
                    Window = window, Lag = capture.LagOf(window),
                };
                if (isEnough) return poll;
            }
            capture.CompleteWindow();
            if (poll.Pages == 0) poll = poll with { CapturedUpTo = window.To.TakenAt };
            // A window that was in progress, and had no page left, says nothing about what was committed since.
            if (window.Page == 0) break;
        }
        return poll;
    }

    /// <returns>Null: another instance is the poller (one at a time, by the lock of the session).</returns>
    private async Task<CaptureSession?> OpenSessionAsync(CancellationToken cancellationToken)
    {
        connection ??= await SourceConnection.OpenAsync(options.Postgres, cancellationToken);
        if (!await PollerLock.TryTakeAsync(connection, options.PublisherName, cancellationToken)) return null;
        return await CaptureSession.OpenAsync(connection, context, cancellationToken);
    }

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
