namespace OrdersStream.Diagnostics;

/// <summary>What the pipeline does about a failure.</summary>
public enum FailureAction
{
    /// <summary>Try again with back-off: the cause passes by itself.</summary>
    Retry,
    /// <summary>Stop the half: a human is needed. The default.</summary>
    Stop,
    /// <summary>Put the record into quarantine and go on.</summary>
    Quarantine,
}

/// <summary>
/// What to do about a failure, and what an operator does next.
/// None of its texts ever holds a row's value or a secret (invariant 9).
/// </summary>
/// <param name="Action">What the half does.</param>
/// <param name="Problem">What failed, and the value seen.</param>
/// <param name="Check">What an operator does about it.</param>
/// <param name="IsDefect">Nothing that was thought of: its stack trace is needed.</param>
/// <param name="SeesItself">A half tries again by itself, and says so.</param>
public sealed record FailureVerdict(FailureAction Action, string Problem, string Check, bool IsDefect = false, bool SeesItself = false)
{
    /// <summary>
    /// What all failures of this kind share: <see cref="Problem"/> may hold a figure
    /// or a server's words, which differ at each attempt.
    /// </summary>
    public string Kind { get => field ?? Problem; init; }

    /// <summary>
    /// What a half says. Where nothing tries again, as in a command that ends, <see cref="Check"/> is all there is to say.
    /// </summary>
    public string Remedy => SeesItself ? $"It is tried again with growing pauses; nothing is lost meanwhile. {Check}" : Check;
}

/// <summary>
/// A failure whose verdict is known where it is found: what the pipeline itself found,
/// or what it knows of a server's or driver's failure.
/// </summary>
public class PipelineException(FailureVerdict verdict, Exception? inner = null) : Exception($"{verdict.Problem} {verdict.Remedy}", inner)
{
    public PipelineException(FailureAction action, string problem, string check, Exception? inner = null)
        : this(new FailureVerdict(action, problem, check), inner)
    {
    }

    public FailureVerdict Verdict { get; } = verdict;

    public FailureAction Action => Verdict.Action;
    public string Problem => Verdict.Problem;
    public string Remedy => Verdict.Remedy;
}

/// <summary>A half failed in a way that does not pass by itself, or that has not passed in the time it was given.</summary>
public sealed class HalfStoppedException(string half, FailureVerdict verdict, Exception cause) : PipelineException(verdict, cause)
{
    public string Half { get; } = half;

    public override string Message => $"{Half}: {base.Message}";
}
