namespace OrdersStream.Capture;

/// <summary>How far capture is behind, at the most: the one rule for what a poll says of its rows, and a status of the stream.</summary>
internal static class CaptureLag
{
    /// <summary>
    /// How long ago the oldest change may have been committed that is not published:
    /// it was not visible at the last horizon, nor when somebody last found that nothing had been committed since.
    /// </summary>
    /// <param name="horizonTakenAt">By the database's clock.</param>
    /// <param name="caughtUpAt">When all was found to be published, by the same clock; null: never since.</param>
    /// <param name="now">By the same clock.</param>
    public static TimeSpan Of(DateTime horizonTakenAt, DateTime? caughtUpAt, DateTime now)
    {
        var since = caughtUpAt > horizonTakenAt ? caughtUpAt.Value : horizonTakenAt;
        return now > since ? now - since : TimeSpan.Zero;
    }
}
