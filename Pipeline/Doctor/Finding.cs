using System.Collections.Immutable;

namespace OrdersStream.Doctor;

/// <summary>What was found of one thing.</summary>
public enum Grade
{
    /// <summary>It was looked at, and is as it should be.</summary>
    Good,
    /// <summary>The stream runs, and something of it is dearer, slower or less safe than it need be.</summary>
    Warning,
    /// <summary>The stream would not run, or would lose rows.</summary>
    Failure,
    /// <summary>It could not be looked at.</summary>
    Unknown,
}

/// <summary>One thing that a stream needs, as it was found.</summary>
/// <param name="Subject">What it is about, in one or two words: <c>index</c>, <c>topic settings</c>.</param>
/// <param name="Grade">How it was found.</param>
/// <param name="Says">What was seen, and what follows. No row's value, and no secret (invariant 9).</param>
/// <param name="Remedy">What mends it: a command, where one does; null: there is nothing to mend.</param>
public sealed record Finding(string Subject, Grade Grade, string Says, string? Remedy);

/// <summary>What is to be said of a stream as a whole.</summary>
public enum Readiness
{
    /// <summary>Everything was looked at, and nothing would stop it or lose rows.</summary>
    Ready = 0,
    /// <summary>Something would.</summary>
    NotReady = 1,
    /// <summary>Nothing was found that would, but not everything could be looked at (invariant 11).</summary>
    Unknown = 2,
}

/// <summary>What a check found.</summary>
/// <param name="At">When.</param>
/// <param name="Stream">Whose it is.</param>
/// <param name="Findings">In the order in which a row meets the things.</param>
public sealed record CheckReport(DateTimeOffset At, string Stream, ImmutableArray<Finding> Findings)
{
    public Readiness Verdict =>
        Count(Grade.Failure) > 0 ? Readiness.NotReady : Count(Grade.Unknown) > 0 ? Readiness.Unknown : Readiness.Ready;

    /// <summary>How many were found so.</summary>
    public int Count(Grade grade) => Findings.Count(f => f.Grade == grade);
}
