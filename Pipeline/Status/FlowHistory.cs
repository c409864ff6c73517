namespace OrdersStream.Status;

/// <summary>
/// Rates and lags of the last hour, from the readings of this process. What it holds is bounded, however often somebody asks: a
/// reading that comes too soon after another replaces it (invariant 7).
/// </summary>
public sealed class FlowHistory
{
    private static readonly TimeSpan Retention = TimeSpan.FromHours(1);
    private static readonly TimeSpan SpacingMin = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan RateWindow = TimeSpan.FromMinutes(1);

    private sealed record Reading(DateTimeOffset At, long? Published, long? Stored, double? CaptureLagSeconds, long? LakeLagRecords);

    private readonly Lock gate = new();
    private readonly List<Reading> readings = [];

    /// <summary>Set by a host that samples by itself, all the time; else only requests cause a reading.</summary>
    public bool IsSampled { get; set; }

    /// <summary>Adds a reading. Counts are since the stream's beginning; null: not known.</summary>
    public void Add(DateTimeOffset at, long? published, long? stored, double? captureLagSeconds, long? lakeLagRecords)
    {
        lock (gate)
        {
            // The spacing is from the one before the last: replacing the last must not let a fast asker push it on for ever.
            if (readings.Count > 1 && at - readings[^2].At < SpacingMin) readings.RemoveAt(readings.Count - 1);
            readings.Add(new Reading(at, published, stored, captureLagSeconds, lakeLagRecords));
            readings.RemoveAll(r => at - r.At > Retention);
        }
    }

    public FlowStatus Read()
    {
        lock (gate)
        {
            var minute = readings.Count == 0 ? [] : readings.Where(r => readings[^1].At - r.At <= RateWindow).ToList();
            return new FlowStatus(
                IsSampled ? "process" : "requests",
                readings.Count == 0 ? null : readings[0].At,
                Rate(minute, r => r.Published),
                Rate(minute, r => r.Stored),
                [.. readings.Select((r, i) => new FlowSample(
                    r.At,
                    i == 0 ? null : Rate(readings[i - 1], r, x => x.Published),
                    i == 0 ? null : Rate(readings[i - 1], r, x => x.Stored),
                    r.CaptureLagSeconds, r.LakeLagRecords))]);
        }
    }

    /// <summary>Between the first reading that knew the count and the last.</summary>
    private static double? Rate(List<Reading> readings, Func<Reading, long?> count) =>
        readings.Find(r => count(r) is not null) is { } first ? Rate(first, readings.FindLast(r => count(r) is not null)!, count) : null;

    /// <summary>Null where a count is unknown, or went back: another stream, or files of another time.</summary>
    private static double? Rate(Reading before, Reading after, Func<Reading, long?> count)
    {
        var seconds = (after.At - before.At).TotalSeconds;
        return seconds > 0 && count(after) - count(before) is { } counted and >= 0 ? counted / seconds : null;
    }
}
