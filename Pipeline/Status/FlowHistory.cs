namespace OrdersStream.Status;

/// <summary>What one reading of a status saw. Counts are since the stream's beginning; null: not known.</summary>
/// <param name="At">When.</param>
/// <param name="Published">Row versions in Kafka.</param>
/// <param name="Stored">Rows and quarantined records in the lake.</param>
/// <param name="CaptureLagSeconds">As in <see cref="CaptureStatus"/>.</param>
/// <param name="LakeLagRecords">Offsets that wait in Kafka.</param>
/// <param name="LakeLagSeconds">How long ago the oldest of them was sent.</param>
/// <param name="Health">The verdict.</param>
public sealed record FlowReading(
    DateTimeOffset At, long? Published, long? Stored, double? CaptureLagSeconds, long? LakeLagRecords, double? LakeLagSeconds = null,
    Health Health = Health.Well)
{
    /// <summary>How long rows took that came into the lake last, from their commit to a file; null: none came lately.</summary>
    public double? LatencySeconds { get; init; }
}

/// <summary>
/// Rates and lags of the last day, from the readings of this process and, where they were kept, of those before it: of the last hour
/// each, before that one a minute. What it holds is bounded, however often somebody asks: a reading that comes too soon after another
/// replaces it (invariant 7).
/// </summary>
/// <param name="still">When nothing was added for so long, nothing is being added now.</param>
public sealed class FlowHistory(TimeSpan still)
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1), Day = TimeSpan.FromDays(1), Minute = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan SpacingMin = TimeSpan.FromSeconds(4);

    private readonly Lock gate = new();
    private readonly List<FlowReading> older = [], recent = [];

    public FlowHistory()
        : this(TimeSpan.FromSeconds(15))
    {
    }

    /// <summary>Set by a host that samples by itself, all the time; else only requests cause a reading.</summary>
    public bool IsSampled { get; set; }

    /// <summary>Rows have come into the lake just now.</summary>
    internal bool IsFlowing
    {
        get
        {
            lock (gate) return recent.Count > 0 && RateNow(r => r.Stored) > 0;
        }
    }

    public void Add(FlowReading reading)
    {
        lock (gate)
        {
            // The spacing is from the one before the last: replacing the last must not let a fast asker push it on for ever.
            if (recent.Count > 1 && reading.At - recent[^2].At < SpacingMin) recent.RemoveAt(recent.Count - 1);
            recent.Add(reading);
            foreach (var old in recent.TakeWhile(r => reading.At - r.At > Hour)) AddTo(older, old);
            recent.RemoveAll(r => reading.At - r.At > Hour);
            older.RemoveAll(r => reading.At - r.At > Day);
        }
    }

    public FlowStatus Read()
    {
        lock (gate)
        {
            return new FlowStatus(
                IsSampled ? "process" : "requests", recent.Count == 0 ? null : recent[0].At,
                RateNow(r => r.Published), RateNow(r => r.Stored), [.. Samples(recent)])
            {
                LastPublishedAt = LastAdded(r => r.Published)?.At,
                LastStoredAt = LastAdded(r => r.Stored)?.At,
            };
        }
    }

    /// <summary>The same over the last day, a sample a minute.</summary>
    public FlowStatus ReadDay()
    {
        var minutes = Minutes();
        return Read() with { Since = minutes.Count == 0 ? null : minutes[0].At, Samples = [.. Samples(minutes)] };
    }

    /// <summary>One reading a minute of the last day, the oldest first: of several the greatest lag and the worst verdict.</summary>
    public IReadOnlyList<FlowReading> Minutes()
    {
        lock (gate)
        {
            var minutes = new List<FlowReading>(older);
            foreach (var reading in recent) AddTo(minutes, reading);
            return minutes;
        }
    }

    /// <summary>Puts what an earlier process has seen before what this one has.</summary>
    public void Restore(IEnumerable<FlowReading> minutes, DateTimeOffset now)
    {
        lock (gate)
        {
            var known = minutes.Where(r => r.At < now && now - r.At <= Day && !(recent.Count > 0 && r.At >= recent[0].At))
                .OrderBy(r => r.At).ToList();
            older.InsertRange(0, known.Where(r => now - r.At > Hour));
            recent.InsertRange(0, known.Where(r => now - r.At <= Hour));
        }
    }

    private static void AddTo(List<FlowReading> minutes, FlowReading reading)
    {
        if (minutes.Count == 0 || minutes[^1].At.Ticks / Minute.Ticks != reading.At.Ticks / Minute.Ticks)
        {
            minutes.Add(reading);
            return;
        }
        var before = minutes[^1];
        minutes[^1] = reading with
        {
            Published = reading.Published ?? before.Published,
            Stored = reading.Stored ?? before.Stored,
            CaptureLagSeconds = Greatest(before.CaptureLagSeconds, reading.CaptureLagSeconds),
            LakeLagRecords = (long?)Greatest(before.LakeLagRecords, reading.LakeLagRecords),
            LakeLagSeconds = Greatest(before.LakeLagSeconds, reading.LakeLagSeconds),
            LatencySeconds = Greatest(before.LatencySeconds, reading.LatencySeconds),
            Health = Worst(before.Health, reading.Health),
        };
    }

    private static double? Greatest(double? a, double? b) => a > b || b is null ? a : b;

    private static Health Worst(Health a, Health b) =>
        a == Health.Wrong || b == Health.Wrong ? Health.Wrong : a == Health.Unknown ? a : b;

    private static IEnumerable<FlowSample> Samples(IReadOnlyList<FlowReading> readings) => readings.Select((r, i) => new FlowSample(
        r.At,
        i == 0 ? null : Rate(readings[i - 1], r, x => x.Published),
        i == 0 ? null : Rate(readings[i - 1], r, x => x.Stored),
        r.CaptureLagSeconds, r.LakeLagRecords, r.LakeLagSeconds, r.Health, r.LatencySeconds));

    /// <summary>Over the last minute, unless the last row of it came too long ago to be now; null: it cannot be told.</summary>
    private double? RateNow(Func<FlowReading, long?> count)
    {
        var minute = recent.Where(r => recent[^1].At - r.At <= Minute).ToList();
        if (minute.FindLast(r => count(r) is not null) is not { } last || recent[^1].At - last.At > still) return null;
        var rate = Rate(minute.Find(r => count(r) is not null)!, last, count);
        return rate > 0 && LastAdded(count) is { } added && recent[^1].At - added.At > still ? 0 : rate;
    }

    /// <summary>The last reading that knew of more than the one before it that knew; null: none did.</summary>
    private FlowReading? LastAdded(Func<FlowReading, long?> count)
    {
        FlowReading? after = null;
        for (var i = recent.Count - 1; i >= 0; i--)
        {
            if (count(recent[i]) is null) continue;
            if (after is not null && count(after) > count(recent[i])) return after;
            after = recent[i];
        }
        return null;
    }

    /// <summary>Null where a count is unknown, or went back: another stream, or files of another time.</summary>
    private static double? Rate(FlowReading before, FlowReading after, Func<FlowReading, long?> count)
    {
        var seconds = (after.At - before.At).TotalSeconds;
        return seconds > 0 && count(after) - count(before) is { } counted and >= 0 ? counted / seconds : null;
    }
}
