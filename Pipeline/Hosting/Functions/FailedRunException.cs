using OrdersStream.Diagnostics;

namespace OrdersStream.Hosting.Functions;

/// <summary>
/// What the platform is told of a run that failed: one line. It prints what it is thrown as a whole, more than once and at each run;
/// what happened stands in the log once, with its remedy and, where it is needed, its trace.
/// </summary>
public sealed class FailedRunException(string half, FailureVerdict verdict, Exception cause) : Exception($"{half}: {verdict.Problem}")
{
    /// <summary>No inner exception: the platform would print that, and takes one that was cancelled for a run that was.</summary>
    public Exception Cause { get; } = cause;

    public override string? StackTrace => null;

    public override string ToString() => Message;
}

/// <summary>The same of a run that the platform itself broke off.</summary>
public sealed class StoppedRunException(string half, CancellationToken cancellationToken)
    : OperationCanceledException($"{half} was told to stop; what was not committed is captured, or delivered, again", cancellationToken)
{
    public override string? StackTrace => null;

    public override string ToString() => Message;
}
