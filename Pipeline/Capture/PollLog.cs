using Microsoft.Extensions.Logging;
using OrdersStream.Diagnostics;

namespace OrdersStream.Capture;

/// <summary>
/// What the capturing half says of its polls: a line for each that did something,
/// and else one a minute, so that silence means a failure.
/// </summary>
internal sealed class PollLog(TimeProvider time, ILogger logger)
{
    public static readonly TimeSpan SilenceMax = TimeSpan.FromMinutes(1);

    private PollOutcome last = PollOutcome.Published;
    private DateTimeOffset since;
    private long? loggedAt;

    public void Polled(PollResult poll)
    {
        var isAnother = poll.Outcome != last;
        if (isAnother) (last, since) = (poll.Outcome, time.GetUtcNow());
        if (!IsToBeLogged(poll.Outcome, isAnother)) return;
        loggedAt = time.GetTimestamp();
        switch (poll.Outcome)
        {
            case PollOutcome.Published:
                Published(poll);
                break;
            case PollOutcome.StandingBy:
                logger.StandingBy(since);
                break;
            default:
                logger.NothingNew(since, poll.CapturedUpTo ?? since);
                break;
        }
    }

    private bool IsToBeLogged(PollOutcome outcome, bool isAnother) => outcome switch
    {
        PollOutcome.Published => true,
        PollOutcome.StandingBy when isAnother => true,
        _ => loggedAt is null || time.GetElapsedTime(loggedAt.Value) >= SilenceMax,
    };

    private void Published(PollResult poll)
    {
        var more = poll.WindowDone ? "" : ", more is waiting";
        var (window, duration) = (poll.Window?.Number ?? 0, poll.Duration.TotalMilliseconds);
        if (poll.Lag is { } lag)
        {
            logger.Published(poll.Rows, poll.Pages, poll.Bytes, lag.TotalSeconds, duration, window, more);
            return;
        }
        var reading = poll.Window?.LowerBound is null ? "initial load" : "read again";
        logger.PublishedBacklog(poll.Rows, poll.Pages, poll.Bytes, reading, duration, window, more);
    }
}
