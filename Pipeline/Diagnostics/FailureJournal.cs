using System.Collections.Immutable;

namespace OrdersStream.Diagnostics;

/// <summary>One kind of trouble that this process met.</summary>
/// <param name="Half">The half that met it.</param>
/// <param name="First">When it was met first.</param>
/// <param name="Last">When it was met last.</param>
/// <param name="Times">How often.</param>
/// <param name="Over">The half has worked since.</param>
public sealed record FailureNote(string Half, FailureAction Action, string Problem, string Remedy, DateTimeOffset First, DateTimeOffset Last, int Times, bool Over);

/// <summary>The last failures of this process, for those who look at it: a few, however long the trouble lasts (invariant 7).</summary>
public sealed class FailureJournal(TimeProvider time, PipelineMetrics? metrics = null)
{
    private const int NotesMax = 20;

    private readonly Lock gate = new();
    private ImmutableList<FailureNote> notes = [];

    /// <summary>The newest last.</summary>
    public ImmutableArray<FailureNote> Recent
    {
        get
        {
            lock (gate) return [.. notes];
        }
    }

    /// <summary>Notes a failure; the same trouble of the same half that is still going on is counted.</summary>
    public void Failed(string half, FailureVerdict verdict)
    {
        metrics?.Failed(half, verdict.Action);
        var now = time.GetUtcNow();
        lock (gate)
        {
            var known = notes.FindIndex(n => !n.Over && n.Half == half && n.Problem == verdict.Problem);
            notes = known >= 0
                ? notes.SetItem(known, notes[known] with { Last = now, Times = notes[known].Times + 1 })
                : notes.Add(new(half, verdict.Action, verdict.Problem, verdict.Remedy, now, now, 1, false));
            if (notes.Count > NotesMax) notes = notes.RemoveAt(0);
        }
    }

    /// <summary>The half works: its trouble is over.</summary>
    public void Succeeded(string half)
    {
        lock (gate)
            if (notes.Exists(n => !n.Over && n.Half == half)) notes = notes.ConvertAll(n => n.Half == half ? n with { Over = true } : n);
    }
}
