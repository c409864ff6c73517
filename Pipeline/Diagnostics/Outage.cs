using Microsoft.Extensions.Logging;

namespace OrdersStream.Diagnostics;

/// <summary>
/// The outage that one half is in, if any: a line for each kind of failure in it, however often and in whatever
/// order they come, a line when it is over, and every failure noted in the journal. For one caller at a time.
/// </summary>
/// <param name="half">Whose it is.</param>
/// <param name="journal">Where each failure is noted.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">Where the lines go.</param>
/// <param name="condition">What others are shown of the half; null: nothing.</param>
public sealed class Outage(
    string half, FailureJournal journal, TimeProvider time, ILogger logger, HalfCondition? condition = null)
{
    private readonly HashSet<string> kinds = [];
    private long since;

    /// <summary>Whose it is.</summary>
    public string Half { get; } = half;

    /// <summary>What to do about it; null: there is none.</summary>
    public FailureVerdict? Verdict { get; private set; }

    /// <summary>The last failure.</summary>
    public Exception? Cause { get; private set; }

    /// <summary>Failures since the half worked last.</summary>
    public int Failures { get; private set; }

    /// <summary>How long it has lasted.</summary>
    public TimeSpan Duration => Verdict is null ? TimeSpan.Zero : time.GetElapsedTime(since);

    /// <summary>Notes a failure. One that does not pass by itself is not logged here: whoever stops says why.</summary>
    /// <returns>True: the first failure of its kind since the half worked last.</returns>
    public bool Failed(Exception failure)
    {
        var verdict = FailurePolicy.Judge(failure);
        journal.Failed(Half, verdict);
        if (Failures++ == 0) since = time.GetTimestamp();
        var isNew = kinds.Add(verdict.Kind);
        if (isNew && verdict.Action == FailureAction.Retry) logger.HalfRetries(Half, verdict.Problem, verdict.Remedy);
        (Verdict, Cause) = (verdict, failure);
        condition?.Fails(verdict);
        return isNew;
    }

    /// <summary>Nobody tries again.</summary>
    public void Stopped(FailureVerdict verdict) => condition?.Stops(verdict);

    /// <summary>The half works again, or still.</summary>
    /// <param name="standsBy">Which consists in waiting for another instance to end.</param>
    public void Succeeded(bool standsBy = false)
    {
        condition?.Works(standsBy);
        if (Failures == 0) return;
        logger.HalfRecovered(Half, Duration.TotalSeconds, Failures);
        journal.Succeeded(Half);
        (Verdict, Cause, Failures) = (null, null, 0);
        kinds.Clear();
    }
}
