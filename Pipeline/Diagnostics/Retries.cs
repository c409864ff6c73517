using Microsoft.Extensions.Logging;

namespace OrdersStream.Diagnostics;

/// <summary>
/// What a loop does about a failure, by <see cref="FailurePolicy"/>: tries again after a growing pause, with one line when an outage
/// begins and one when it is over; or stops the half.
/// </summary>
public sealed class Retries(
    string half, FailureJournal journal, TimeProvider time, ILogger logger, TimeSpan? giveUpAfter = null, HalfCondition? condition = null)
{
    private static readonly TimeSpan PauseMin = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan PauseMax = TimeSpan.FromSeconds(30);

    private readonly Outage outage = new(half, journal, time, logger, condition);

    /// <summary>Returns when it is time to try again.</summary>
    /// <exception cref="HalfStoppedException">The failure does not pass by itself, or lasts for longer than was allowed.</exception>
    public async Task AfterFailureAsync(Exception failure, CancellationToken cancellationToken)
    {
        Note(failure);
        await Task.Delay(PauseBefore(outage.Failures), time, cancellationToken);
    }

    /// <summary>Takes note of an error that the client itself recovers from.</summary>
    /// <exception cref="HalfStoppedException">It does not pass by itself, or lasts for longer than was allowed.</exception>
    public void Note(Exception failure)
    {
        outage.Failed(failure);
        if (outage.Verdict!.Action != FailureAction.Retry) throw Stopped(outage.Verdict, failure);
        StopIfTooLong();
    }

    /// <exception cref="HalfStoppedException">The outage lasts for longer than was allowed.</exception>
    public void StopIfTooLong()
    {
        condition?.Turns();
        if (outage.Verdict is { } verdict && outage.Duration >= giveUpAfter) throw Stopped(verdict, outage.Cause!);
    }

    /// <summary>The half works again, or still.</summary>
    /// <param name="standsBy">Which consists in waiting for another instance to end.</param>
    public void Succeeded(bool standsBy = false)
    {
        condition?.Turns();
        outage.Succeeded(standsBy);
    }

    private HalfStoppedException Stopped(FailureVerdict verdict, Exception cause)
    {
        outage.Stopped(verdict);
        return new HalfStoppedException(half, verdict, cause);
    }

    /// <summary>Doubles up to the greatest pause; a little of it is jitter, so that several instances do not try all at once.</summary>
    internal static TimeSpan PauseBefore(int attempt)
    {
        var pause = PauseMin * Math.Pow(2, Math.Min(attempt - 1, 10));
        return (pause < PauseMax ? pause : PauseMax) * (0.8 + 0.2 * Random.Shared.NextDouble());
    }
}
