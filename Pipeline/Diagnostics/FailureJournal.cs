using System.Collections.Immutable;

namespace OrdersStream.Diagnostics;

/// <summary>One kind of failure in this process, from its first occurrence on.</summary>
/// <param name="Half">The half that failed.</param>
/// <param name="First">Its first occurrence.</param>
/// <param name="Last">Its last occurrence.</param>
/// <param name="Times">How often.</param>
/// <param name="Over">The half has worked since.</param>
public sealed record FailureNote(
    string Half, FailureAction Action, string Problem, string Remedy, DateTimeOffset First, DateTimeOffset Last, int Times, bool Over)
{
    /// <summary>The stream whose half it is.</summary>
    public string Stream { get; init; } = "";
}

/// <summary>
/// The last failures of one stream in this process, for its status:
/// a few, however long an outage lasts (invariant 7).
/// </summary>
public sealed class FailureJournal(string stream, TimeProvider time, PipelineMetrics? metrics = null)
{
    private const int NotesMax = 20;

    private readonly Lock gate = new();
    private ImmutableList<(string Kind, FailureNote Note)> notes = [];

    /// <summary>The newest last.</summary>
    public ImmutableArray<FailureNote> Recent
    {
        get
        {
            lock (gate) return [.. notes.Select(n => n.Note)];
        }
    }

    /// <summary>Notes a failure; one of the same kind and half whose outage still lasts is counted.</summary>
    public void Failed(string half, FailureVerdict verdict)
    {
        metrics?.Failed(half, verdict.Action);
        var now = time.GetUtcNow();
        lock (gate)
        {
            var known = notes.FindIndex(n => !n.Note.Over && n.Note.Half == half && n.Kind == verdict.Kind);
            if (known >= 0)
            {
                var note = notes[known].Note;
                notes = notes.SetItem(known, (verdict.Kind, note with { Problem = verdict.Problem, Last = now, Times = note.Times + 1 }));
            }
            else
            {
                var note = new FailureNote(half, verdict.Action, verdict.Problem, verdict.Remedy, now, now, 1, false) { Stream = stream };
                notes = notes.Add((verdict.Kind, note));
            }
            if (notes.Count > NotesMax) notes = notes.RemoveAt(0);
        }
    }

    /// <summary>The half works: its outage is over.</summary>
    public void Succeeded(string half)
    {
        lock (gate)
            if (notes.Exists(n => !n.Note.Over && n.Note.Half == half))
                notes = notes.ConvertAll(n => n.Note.Half == half ? n with { Note = n.Note with { Over = true } } : n);
    }
}
