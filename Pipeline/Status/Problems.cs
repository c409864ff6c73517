using System.Collections.Immutable;
using OrdersStream.Diagnostics;

namespace OrdersStream.Status;

/// <summary>What a status looks at.</summary>
internal enum Part
{
    Source,
    Topic,
    Capture,
    Lake,
    Audit,
    State,
}

/// <summary>What went wrong while a status was read.</summary>
internal sealed class Problems
{
    private readonly Lock gate = new();
    private readonly List<(Part Where, Health Health, FailureVerdict Verdict)> found = [];

    public ImmutableArray<StatusFinding> Findings =>
        [.. found.Select(f => new StatusFinding(f.Where.ToString().ToLowerInvariant(), f.Verdict.Problem, f.Verdict.Check))];

    public bool SourceAnswered => found.Exists(f => f.Where == Part.Source && f.Verdict.Action == FailureAction.Stop);

    /// <summary>The worst of all that is known.</summary>
    public Health Judge(ImmutableArray<FailureNote> failures, ImmutableArray<HalfStatus> halves)
    {
        var all = found.Select(f => f.Health).Concat(halves.Select(h => h.Health)).ToHashSet();
        return all.Contains(Health.Wrong) || failures.Any(f => !f.Over) ? Health.Wrong
            : all.Contains(Health.Unknown) ? Health.Unknown
            : Health.Well;
    }

    public void Try(Part where, Action check) => Try(where, () =>
    {
        check();
        return true;
    });

    public T? Try<T>(Part where, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e)
        {
            Add(where, e);
            return default;
        }
    }

    public async Task<T?> TryAsync<T>(Part where, Func<Task<T>> read, CancellationToken cancellationToken)
    {
        try
        {
            return await read();
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            Add(where, e);
            return default;
        }
    }

    public void Add(Part where, Exception failure)
    {
        lock (gate) found.Add((where, HealthOf(where, failure), FailurePolicy.Judge(failure)));
    }

    /// <summary>
    /// A server that is down, or says no, is wrong, and so is a lake that was found to be away or another's; files that cannot be read tell
    /// nothing.
    /// </summary>
    private static Health HealthOf(Part where, Exception failure) => where switch
    {
        _ when failure is SilentFolderException => Health.Unknown,
        Part.State => Health.Unknown,
        Part.Lake => failure is PipelineException ? Health.Wrong : Health.Unknown,
        _ => Health.Wrong,
    };
}
