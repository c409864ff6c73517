namespace OrdersStream.Capture;

/// <summary>How a drain of the table ended.</summary>
public enum TableDrain
{
    /// <summary>All that was committed before is in the topic.</summary>
    Done,
    /// <summary>Another instance is the poller, so nothing was done here.</summary>
    StoodBy,
    /// <summary>Committed rows wait for the end of a transaction, which did not come in time.</summary>
    HeldBack,
}

/// <summary>By what a drain's polls found, one after the other: when it is over. It asks nobody.</summary>
/// <param name="heldBackPatience">How long the end of the transaction is waited for behind which rows are held back.</param>
public sealed class DrainProgress(TimeSpan heldBackPatience)
{
    // A server lets go of a dead session's lock when it notices that the client is gone, a moment later: who holds it for longer is alive.
    private static readonly TimeSpan StandByPatience = TimeSpan.FromSeconds(5), StandByPause = TimeSpan.FromMilliseconds(200);

    private static readonly TimeSpan HeldBackPause = TimeSpan.FromSeconds(1);

    private PollOutcome last = PollOutcome.Published;
    private TimeSpan since;
    private long? first;

    /// <summary>What comes after a poll.</summary>
    /// <param name="poll">What it found.</param>
    /// <param name="now">Since the drain began.</param>
    /// <returns>Its end, or how long to pause before the next poll.</returns>
    public (TableDrain? End, TimeSpan Pause) After(PollResult poll, TimeSpan now)
    {
        if (poll is { Outcome: PollOutcome.Idle, WindowDone: true }) return (TableDrain.Done, default);
        // The first one may have been taken by another process, long ago; one behind it has all that was committed as this began.
        first ??= poll.WindowNumber;
        if (poll is { WindowDone: true, HeldBack: null } && poll.WindowNumber > first) return (TableDrain.Done, default);
        if (poll.Outcome != last) (last, since) = (poll.Outcome, now);
        return poll.Outcome switch
        {
            PollOutcome.StandingBy => now - since >= StandByPatience ? (TableDrain.StoodBy, default) : (null, StandByPause),
            PollOutcome.HeldBack => now - since >= heldBackPatience ? (TableDrain.HeldBack, default) : (null, HeldBackPause),
            _ => (null, TimeSpan.Zero),
        };
    }
}
