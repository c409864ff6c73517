using System.Collections.Immutable;
using OrdersStream.Diagnostics;

namespace OrdersStream.Doctor;

/// <summary>Collects what is found; what fails while it is looked at is a finding, too.</summary>
internal sealed class FindingList
{
    private readonly List<Finding> found = [];

    public ImmutableArray<Finding> All => [.. found];

    public void Good(string subject, string says) => found.Add(new(subject, Grade.Good, says, null));

    public void Warn(Advice advice) => found.Add(new(advice.Subject, Grade.Warning, advice.Problem, advice.Remedy));

    public void Fail(string subject, string says, string remedy) => found.Add(new(subject, Grade.Failure, says, remedy));

    public void Fail(string subject, FailureVerdict verdict) => Fail(subject, verdict.Problem, verdict.Check);

    public void Unknown(string subject, string says, string remedy) => found.Add(new(subject, Grade.Unknown, says, remedy));

    /// <summary>Warnings, or the good that there is to say where there are none.</summary>
    public void Add(string subject, IEnumerable<Advice> warnings, string good)
    {
        var all = warnings.ToList();
        foreach (var warning in all) Warn(warning);
        if (all.Count == 0) Good(subject, good);
    }

    /// <returns>Null: it failed, which is said.</returns>
    public async Task<T?> TryAsync<T>(string subject, Func<Task<T>> look, CancellationToken cancellationToken) where T : class
    {
        try
        {
            return await look();
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            Fail(subject, FailurePolicy.Judge(e));
            return null;
        }
    }

    /// <returns>Whether it did not fail; if it did, that is said.</returns>
    public bool Try(string subject, Action look)
    {
        try
        {
            look();
            return true;
        }
        catch (Exception e)
        {
            Fail(subject, FailurePolicy.Judge(e));
            return false;
        }
    }
}
