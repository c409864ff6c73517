using OrdersStream.Diagnostics;

namespace OrdersStream.LocalHost.Loops;

/// <summary>A half met a failure that does not pass by itself, or that has not passed in the time it was given.</summary>
public sealed class HalfStoppedException(string half, FailureVerdict verdict, Exception cause)
    : Exception($"{half}: {verdict.Problem} {verdict.Remedy}", cause)
{
    public string Half { get; } = half;
    public FailureVerdict Verdict { get; } = verdict;
}
