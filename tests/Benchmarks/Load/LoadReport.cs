using OrdersStream.Benchmarks.Limits;
using OrdersStream.Benchmarks.Measuring;

namespace OrdersStream.Benchmarks.Load;

/// <summary>The figures of a load, each beside its share of the limit of the same run, and what it is to reach.</summary>
internal static class LoadReport
{
    private static readonly Target LittleMemory = Target.AtMost(256);
    private static readonly Target FirstRecord = Target.AtMost(1);
    private static readonly Target FirstFile = Target.AtMost(2.5);

    public static void Fill(Report report, IReadOnlyList<IReadOnlyList<Measurement>> all, Figure? help)
    {
        var runs = Counting(report, all);
        report.Measurements.AddRange(all);
        foreach (var limit in Enum.GetValues<Limit>().Select(Name))
        {
            AddSpeed(report, runs, limit);
            report.Add(limit, "  without its start", "N0", Figure.Of(Each(runs, limit, m => m.Rows / m.OperationCpuSeconds)));
        }

        string[] copyOrProduce = [Name(Limit.Copy), Name(Limit.Produce)];
        AddSpeed(report, runs, LoadRun.ToKafka, copyOrProduce, Target.AtLeast(0.55), Name(Limit.Produce), Target.AtLeast(0.45));
        AddRest(report, runs, LoadRun.ToKafka);
        AddSpeed(report, runs, LoadRun.ToLake, [Name(Limit.Consume)], Target.AtLeast(0.45), Name(Limit.Consume), Target.AtLeast(0.45));
        AddRest(report, runs, LoadRun.ToLake);
        AddSpeed(report, runs, LoadRun.Both, [Name(Limit.Produce)], Target.AtLeast(0.30), Name(Limit.Produce), null);
        AddRest(report, runs, LoadRun.Both);
        AddRest(report, runs, LargeRows.Name);
        report.Add("start", "--help, s", "0.00", help, target: Target.AtMost(0.2));
    }

    /// <summary>Runs in which others took much of the machine are left out, unless there are no others.</summary>
    private static List<IReadOnlyList<Measurement>> Counting(Report report, IReadOnlyList<IReadOnlyList<Measurement>> all)
    {
        var quiet = all.Where(run => !run.Any(m => m.IsDisturbed)).ToList();
        if (quiet.Count == all.Count) report.Notes.Add($"runs that count: {all.Count} of {all.Count}");
        else if (quiet.Count > 0) report.Notes.Add(
            $"runs that count: {quiet.Count} of {all.Count}; "
            + "in the OTHERS, which are left out, other processes took more than a tenth of the machine");
        else report.Notes.Add(
            $"runs that count: NONE of {all.Count}: other processes took more than a tenth of the machine in each of them");
        return quiet.Count > 0 ? quiet : [.. all];
    }

    private static string Name(Limit limit) => limit.ToString().ToLowerInvariant();

    private static void AddSpeed(
        Report report, List<IReadOnlyList<Measurement>> runs, string what, string[]? speedLimits = null, Target? speed = null,
        string? cpuLimit = null, Target? cpu = null)
    {
        report.Add(
            what, "rows/s", "N0", Figure.Of(Each(runs, what, m => m.RowsPerSecond)), ShareOf(runs, what, speedLimits, m => m.RowsPerSecond),
            speed);
        report.Add(
            what, "rows per CPU-second", "N0", Figure.Of(Each(runs, what, m => m.RowsPerCpuSecond)),
            ShareOf(runs, what, cpuLimit is null ? null : [cpuLimit], m => m.RowsPerCpuSecond), cpu);
    }

    private static void AddRest(Report report, List<IReadOnlyList<Measurement>> runs, string what)
    {
        report.Add(what, "peak RSS, MiB", "0", Figure.Of(Each(runs, what, m => m.PeakRssMiB)), target: LittleMemory);
        report.Add(what, "first record, s", "0.00", Figure.Of(Each(runs, what, m => m.FirstRecordSeconds)), target: FirstRecord);
        report.Add(what, "first file, s", "0.00", Figure.Of(Each(runs, what, m => m.FirstFileSeconds)), target: FirstFile);
        report.Add(what, "files", "0", Figure.Of(Each(runs, what, m => m.Files?.Count)));
        // Of all files of all runs: the last ones of a backlog hold what is left.
        var files = runs.SelectMany(run => run.Where(m => m.What == what)).SelectMany(m => m.Files ?? []).ToList();
        report.Add(
            what, "rows a file", "N0", Figure.Of(files.Select(f => (double?)f.Rows)),
            target: what == LoadRun.ToLake ? Target.AtLeast(100_000) : null);
        report.Add(what, "KiB a file", "N0", Figure.Of(files.Select(f => (double?)f.Bytes / 1024)));
    }

    private static IEnumerable<double?> Each(List<IReadOnlyList<Measurement>> runs, string what, Func<Measurement, double?> of) =>
        runs.Select(run => run.FirstOrDefault(m => m.What == what) is { } measurement ? of(measurement) : null);

    /// <summary>The share of the lowest of some limits, run by run: the machine's speed drifts from one to the next.</summary>
    private static Share? ShareOf(List<IReadOnlyList<Measurement>> runs, string what, string[]? limits, Func<Measurement, double> of)
    {
        if (limits is null) return null;
        var shares = runs.Select(run => (double?)(of(run.First(m => m.What == what)) / run.Where(m => limits.Contains(m.What)).Min(of)));
        return new(limits.Length == 1 ? limits[0] : $"the lower of {string.Join(" and ", limits)}", Figure.Of(shares)!);
    }
}
