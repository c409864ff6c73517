using Microsoft.Extensions.Logging;
using OrdersStream.Diagnostics;

namespace OrdersStream.Capture;

/// <summary>
/// What the capturing half says of its polls: a line for each that did something,
/// and else one a minute, so that silence means a failure. That rows are held back is a warning, once while it lasts.
/// </summary>
internal sealed class PollLog(int seenTransactions, TimeProvider time, ILogger logger)
{
    public static readonly TimeSpan SilenceMax = TimeSpan.FromMinutes(1);

    private PollOutcome last = PollOutcome.Published;
    private DateTimeOffset since;
    private long? loggedAt;
    private long? heldBackAt;

    public void Polled(PollResult poll)
    {
        if (poll.WindowDone && poll.Outcome != PollOutcome.StandingBy) NoteHeldBack(poll.HeldBack);
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
                logger.StandingBy(since, poll.Holder is { } holder ? $": {holder}" : "");
                break;
            case PollOutcome.HeldBack:
                logger.StillHeldBack(since, HolderOf(poll.HeldBack!));
                break;
            default:
                logger.NothingNew(since, poll.CapturedUpTo ?? since);
                break;
        }
    }

    private void NoteHeldBack(HeldBack? heldBack)
    {
        if (heldBack is not null && heldBackAt is null)
        {
            heldBackAt = loggedAt = time.GetTimestamp();
            logger.RowsHeldBack(seenTransactions, HolderOf(heldBack));
        }
        if (heldBack is not null || heldBackAt is not { } begun) return;
        heldBackAt = null;
        logger.NoLongerHeldBack(time.GetElapsedTime(begun).TotalSeconds);
    }

    private static string HolderOf(HeldBack heldBack) => heldBack.Holder?.ToString() ?? "a transaction that has ended meanwhile";

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
        var reading = poll.IsInitialLoad ? "initial load" : "read again";
        logger.PublishedBacklog(poll.Rows, poll.Pages, poll.Bytes, reading, duration, window, more);
    }
}
