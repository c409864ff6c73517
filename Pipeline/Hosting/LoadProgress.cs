using System.Globalization;
using Microsoft.Extensions.Logging;
using OrdersStream.Capture;
using OrdersStream.Diagnostics;
using OrdersStream.Postgres;

namespace OrdersStream.Hosting;

/// <summary>
/// Says now and then how far capture has got while it reads the whole table: a poll that publishes for a minute says so only when it ends.
/// Of a window between two horizons nothing is said: it has no size that is known before.
/// </summary>
internal sealed class LoadProgress(PipelineStream stream)
{
    private readonly TimeProvider time = stream.Process.Time;
    private (long Window, long Rows, long Timestamp) said = (-1, 0, 0);
    private long? expected;

    /// <summary>Time between two lines. A test shortens it.</summary>
    internal static TimeSpan Interval { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Looks until it is cancelled, which is its regular end.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        // Oftener than it speaks: a window is counted from where this process found it, since another one may have begun it.
        using var timer = new PeriodicTimer(Interval / 10, time);
        try
        {
            while (await timer.WaitForNextTickAsync(cancellationToken)) await LookAsync(stream.Capture.Watermark, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
        }
    }

    private async Task LookAsync(Watermark? position, CancellationToken cancellationToken)
    {
        if (position?.Window is not { From: null, LowerBound: null } window) return;
        var now = time.GetTimestamp();
        if (said.Window != window.Number)
        {
            said = (window.Number, window.Rows, now);
            expected = await ExpectedAsync(cancellationToken);
            return;
        }
        var (rows, elapsed) = (window.Rows - said.Rows, time.GetElapsedTime(said.Timestamp, now));
        if (rows == 0 || elapsed < Interval) return;
        said = (window.Number, window.Rows, now);
        var rate = rows / elapsed.TotalSeconds;
        var reading = position.Horizon is null ? "initial load" : "read again";
        stream.Logger.WholeTableRead(reading, window.Rows, Share(window.Rows), rate, Rest(window.Rows, rate));
    }

    // The server's estimate is as old as its last ANALYZE: what has more rows than that is at an end that nobody knows.
    private string Share(long rows) => expected is { } all && all >= rows
        ? string.Create(CultureInfo.InvariantCulture, $" of about {all:N0} ({100 * rows / Math.Max(1, all)}%)") : "";

    private string Rest(long rows, double rate) => expected is { } all && all >= rows
        ? string.Create(CultureInfo.InvariantCulture, $", about {(all - rows) / rate:N0} s to go") : "";

    /// <returns>Null: whatever keeps the server from telling is no reason to end what is told of.</returns>
    internal async Task<long?> ExpectedAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await RowEstimate.OfAsync(stream.Options.Postgres, cancellationToken);
        }
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
        {
            // A role may have one connection only, and the poll has it; or the connection breaks unseen.
            return null;
        }
    }
}
