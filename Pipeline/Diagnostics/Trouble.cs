using Microsoft.Extensions.Logging;

namespace OrdersStream.Diagnostics;

/// <summary>
/// The trouble that one half is in, if any: a line when it begins or becomes another, a line when it is over, and every failure noted in
/// the journal. For one caller at a time.
/// </summary>
public sealed class Trouble(string half, FailureJournal journal, TimeProvider time, ILogger logger)
{
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

    /// <summary>Notes a failure. One that does not pass by itself is not told here: whoever stops says why.</summary>
    /// <returns>True: it is another trouble than before.</returns>
    public bool Failed(Exception failure)
    {
        var verdict = FailurePolicy.Judge(failure);
        journal.Failed(Half, verdict);
        if (Failures++ == 0) since = time.GetTimestamp();
        var isAnother = verdict.Problem != Verdict?.Problem;
        if (isAnother && verdict.Action == FailureAction.Retry) logger.HalfRetries(Half, verdict.Problem, verdict.Remedy);
        (Verdict, Cause) = (verdict, failure);
        return isAnother;
    }

    /// <summary>The half works again, or still.</summary>
    public void Succeeded()
    {
        if (Failures == 0) return;
        logger.HalfRecovered(Half, Duration.TotalSeconds, Failures);
        journal.Succeeded(Half);
        (Verdict, Cause, Failures) = (null, null, 0);
    }
}
