using OrdersStream.Capture;
using OrdersStream.Postgres;

namespace OrdersStream.Status;

/// <summary>What the watermark file says, read together with what the database says now.</summary>
internal static class CaptureProgress
{
    /// <param name="watermark">The file's.</param>
    /// <param name="source">What the database says; null: nothing.</param>
    /// <param name="caughtUpAt">
    /// By the database's clock, when an earlier observation found nothing that was not captured; null: none did.
    /// </param>
    public static CaptureStatus Describe(Watermark watermark, SourceObservation? source, DateTime? caughtUpAt) => new(
        watermark.WindowNumber, watermark.Rows, watermark.Horizon?.CompleteUpTo, watermark.Horizon?.LowerBound,
        watermark.Window is { } window ? Describe(window, watermark.Horizon is null, source) : null,
        Lag(watermark, source, caughtUpAt),
        watermark.Horizon is { HeldBack: { } heldBack } horizon ? Describe(heldBack, horizon, source?.Writer) : null);

    private static HeldBackStatus Describe(HeldBackRows rows, Horizon horizon, OldestWriter? writer) =>
        new(rows.Since, SourceObservation.Described(writer is not null && writer.Holds(horizon) ? writer.Transaction : null));

    private static WindowStatus Describe(Window window, bool isFirst, SourceObservation? source)
    {
        // A window that looks at rows of any time publishes few of them.
        var isWhole = window is { From: null, LowerBound: null };
        var expected = isWhole ? source?.Status.Rows : null;
        var elapsed = source is null ? null : (double?)Math.Max(0, (source.Clock - window.To.TakenAt).TotalSeconds);
        var rate = window.Rows > 0 && elapsed > 0 ? window.Rows / elapsed : null;
        var left = expected - window.Rows;
        var kind = window.From is not null ? "changes" : isFirst ? "initial load" : "reread";
        return new WindowStatus(
            window.Number, kind, window.Page, window.Rows, expected,
            expected is > 0 ? Math.Min(1, (double)window.Rows / expected.Value) : null,
            window.To.TakenAt, rate, rate > 0 && left is { } rows ? Math.Max(0, rows) / rate : null);
    }

    private static double? Lag(Watermark watermark, SourceObservation? source, DateTime? caughtUpAt)
    {
        if (source is null || watermark.Horizon is not { CompleteUpTo: { } completeUpTo } horizon) return null;
        if (watermark.Window is null && horizon.HeldBack is null && source.Snapshot == horizon.Snapshot) return 0;
        return CaptureLag.Of(completeUpTo, caughtUpAt, source.Clock).TotalSeconds;
    }
}
