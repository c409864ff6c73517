namespace OrdersStream.Store;

/// <summary>
/// When what was collected is committed. A trickle is stored an interval after the commit before
/// it, so that what comes after a pause need not wait; a backlog is collected for longer, until the
/// batch is full or so many intervals have passed, so that its files are few and large.
/// </summary>
/// <param name="interval"><c>streaming.batch_interval</c>.</param>
/// <param name="isDrain">What is there is all that comes.</param>
internal sealed class BatchTiming(TimeSpan interval, bool isDrain)
{
    /// <summary>Intervals for which a backlog is collected at the most.</summary>
    internal const double BacklogIntervals = 10;

    /// <summary>The same for the first batch of a run: that something arrives is to be seen soon.</summary>
    private const double FirstBatchIntervals = 1;

    /// <summary>The same for the first batch of a drain: somewhat longer, so that a small backlog becomes one batch.</summary>
    private const double FirstDrainBatchIntervals = 1.5;

    /// <summary>
    /// How long the first record waits for the others of its page at the least: a page becomes visible in one partition after the other.
    /// </summary>
    private static readonly TimeSpan PageSpread = TimeSpan.FromMilliseconds(50);

    /// <summary>How long until the commit is due; zero or less: it is.</summary>
    /// <param name="waited">Since the first record of the batch came.</param>
    /// <param name="sinceCommit">Since the last commit of this process began; null: there was none.</param>
    /// <param name="isBehind">More is waiting in some partition.</param>
    public TimeSpan UntilDue(TimeSpan waited, TimeSpan? sinceCommit, bool isBehind)
    {
        if (isBehind)
        {
            var intervals = sinceCommit is not null ? BacklogIntervals : isDrain ? FirstDrainBatchIntervals : FirstBatchIntervals;
            return interval * intervals - waited;
        }
        var pause = sinceCommit is { } since ? interval - since : TimeSpan.Zero;
        return pause > PageSpread - waited ? pause : PageSpread - waited;
    }
}
