using Microsoft.Extensions.Logging;
using Npgsql;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Lake;
using OrdersStream.Postgres;

namespace OrdersStream;

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
public sealed record PollResult(PollOutcome Outcome, long Rows, long Bytes, int Pages, bool WindowDone, TimeSpan Duration);

/// <summary>
/// The capturing half: position -> window -> page -> publish -> acknowledged -> position. One instance serves one process,
/// one poll at a time; it keeps its connections between polls.
/// </summary>
public sealed class PostgresToKafka(
    PipelineOptions options, TimeProvider time, CrashPoints crashPoints, ILogger<PostgresToKafka> logger) : IAsyncDisposable
{
    private readonly CaptureServices services = new(
        options, new WatermarkFile(options.Streaming), new SchemaStore(options.Streaming.CheckpointLocation), crashPoints, time, logger);

    private NpgsqlConnection? connection;
    private CaptureSession? session;
    private bool stoodBy;

    /// <summary>One poll: takes or resumes a window and publishes its pages until it is done or <paramref name="budget"/> is spent.</summary>
    /// <exception cref="Exception">Whatever failed; <see cref="FailurePolicy"/> says what to do about it. The next poll starts from the durable position.</exception>
    public async Task<PollResult> PollAsync(TimeSpan budget, CancellationToken cancellationToken)
    {
        var begun = time.GetTimestamp();
        try
        {
            session ??= await OpenSessionAsync(cancellationToken);
            if (session is null) return new(PollOutcome.StandingBy, 0, 0, 0, true, time.GetElapsedTime(begun));

            var (rows, bytes, pages, done) = await PublishWindowAsync(session, begun, budget, cancellationToken);
            var duration = time.GetElapsedTime(begun);
            if (pages > 0) logger.Published(rows, pages, bytes, duration.TotalMilliseconds, session.Watermark.WindowNumber, done ? "" : ", more is waiting");
            return new(pages > 0 ? PollOutcome.Published : PollOutcome.Idle, rows, bytes, pages, done, duration);
        }
        catch
        {
            // What this process believes may be stale now; the files and the topic are not.
            await DisposeAsync();
            throw;
        }
    }

    private async Task<(long Rows, long Bytes, int Pages, bool Done)> PublishWindowAsync(
        CaptureSession capture, long begun, TimeSpan budget, CancellationToken cancellationToken)
    {
        var (rows, bytes, pages) = (0L, 0L, 0);
        while (pages == 0 && await capture.TakeWindowAsync(cancellationToken) is { } window)
        {
            await foreach (var page in capture.PagesAsync(window, cancellationToken))
            {
                await capture.PublishAsync(page, cancellationToken);
                (rows, bytes, pages) = (rows + page.Records.Count, bytes + page.Bytes, pages + 1);
                if (time.GetElapsedTime(begun) >= budget) return (rows, bytes, pages, false);
            }
            capture.CompleteWindow();
            // A window that was in progress, and had no page left, says nothing about what was committed since.
            if (window.Page == 0) break;
        }
        return (rows, bytes, pages, true);
    }

    /// <returns>Null: another instance is the poller (one at a time, by the lock of the session).</returns>
    private async Task<CaptureSession?> OpenSessionAsync(CancellationToken cancellationToken)
    {
        connection ??= await SourceConnection.OpenAsync(options.Postgres, cancellationToken);
        if (!await PollerLock.TryTakeAsync(connection, options.StreamName, cancellationToken))
        {
            if (!stoodBy) logger.StandingBy();
            stoodBy = true;
            return null;
        }
        stoodBy = false;
        return await CaptureSession.OpenAsync(connection, services, cancellationToken);
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
