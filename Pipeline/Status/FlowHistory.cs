namespace OrdersStream.Status;

/// <summary>
/// Rates and lags of the last hour, as this process saw them look by look. What it holds is bounded, however often somebody
/// looks: a look that comes too soon after another replaces it (invariant 7).
/// </summary>
public sealed class FlowHistory
{
    private static readonly TimeSpan Kept = TimeSpan.FromHours(1), Apart = TimeSpan.FromSeconds(4), RateOver = TimeSpan.FromMinutes(1);

    private sealed record Look(DateTimeOffset At, long? Published, long? Stored, double? CaptureLagSeconds, long? LakeLagRecords);

    private readonly Lock gate = new();
    private readonly List<Look> looks = [];

    /// <summary>Set by a host that looks by itself, all the time; else only requests look.</summary>
    public bool IsSampled { get; set; }

    /// <summary>Takes note of a look. Counts are since the stream's beginning; null: not known.</summary>
    public void Add(DateTimeOffset at, long? published, long? stored, double? captureLagSeconds, long? lakeLagRecords)
    {
        lock (gate)
        {
            // The one before it says how far away a look is: replacing the last must not let a fast asker push it on for ever.
            if (looks.Count > 1 && at - looks[^2].At < Apart) looks.RemoveAt(looks.Count - 1);
            looks.Add(new Look(at, published, stored, captureLagSeconds, lakeLagRecords));
            looks.RemoveAll(l => at - l.At > Kept);
        }
    }

    public FlowStatus Read()
    {
        lock (gate)
        {
            var minute = looks.Count == 0 ? [] : looks.Where(l => looks[^1].At - l.At <= RateOver).ToList();
            return new FlowStatus(
                IsSampled ? "process" : "requests",
                looks.Count == 0 ? null : looks[0].At,
                Rate(minute, l => l.Published),
                Rate(minute, l => l.Stored),
                [.. looks.Select((l, i) => new FlowSample(
                    l.At,
                    i == 0 ? null : Rate(looks[i - 1], l, x => x.Published),
                    i == 0 ? null : Rate(looks[i - 1], l, x => x.Stored),
                    l.CaptureLagSeconds, l.LakeLagRecords))]);
        }
    }

    /// <summary>Between the first look that knew the count and the last.</summary>
    private static double? Rate(List<Look> looks, Func<Look, long?> count) =>
        looks.Find(l => count(l) is not null) is { } first ? Rate(first, looks.FindLast(l => count(l) is not null)!, count) : null;

    /// <summary>Null where a count is unknown, or went back: another stream, or files of another time.</summary>
    private static double? Rate(Look before, Look after, Func<Look, long?> count) =>
        count(after) - count(before) is { } counted and >= 0 && (after.At - before.At).TotalSeconds is var seconds and > 0 ? counted / seconds : null;
}
