using OrdersStream.Benchmarks.Measuring;
using OrdersStream.Benchmarks.Running;

namespace OrdersStream.Benchmarks;

/// <summary>What <c>verify</c> was asked to do.</summary>
internal sealed record VerifyOptions(string Command, int[] Sizes, int Runs, string? JsonFile);

/// <summary>
/// A whole round of the comparison of lake and table, at once and as fast as it goes. The audit does the same at its share of the time.
/// </summary>
internal sealed class VerifyCost(Workplace place, OrdersSource source, VerifyOptions options)
{
    private const double SecondsADay = 24 * 60 * 60;

    /// <summary>audit.share, as the product has it.</summary>
    private const double Share = 0.01;

    private static readonly Target Seconds = Target.AtMost(300);
    private static readonly Target Memory = Target.AtMost(256);

    public static Task<int> RunAsync(VerifyOptions options, CancellationToken cancellationToken) =>
        Workplace.ReportAsync(options.Command, options.JsonFile, async (place, source, report) =>
        {
            if (!place.Servers.Kafka.IsReal) throw new BenchmarkException($"verify needs a real broker; {place.Servers.BrokerNote}");
            report.Notes.Add($"lake and table equal, {options.Runs} times each; {place.Servers.BrokerNote}");
            await new VerifyCost(place, source, options).MeasureAsync(report, cancellationToken);
        }, cancellationToken);

    private async Task MeasureAsync(Report report, CancellationToken cancellationToken)
    {
        foreach (var size in options.Sizes.Order())
        {
            place.Progress.Say($"filling the table up to {size:N0} orders");
            await source.FillAsync(size, cancellationToken);
            await using var stream = place.NewStream(source);
            place.Progress.Say($"first load of {size:N0} orders");
            using (var load = place.Host.Run(stream, "--once")) await load.EndAsync(cancellationToken);

            var rounds = new List<RoundCost>();
            var others = place.Servers.Others.Begin();
            for (var i = 0; i < options.Runs; i++) rounds.Add(await OnceAsync(stream, cancellationToken));
            if (others.Share() is > OtherProcesses.ShareMax and var share)
                report.Notes.Add($"{size:N0} rows DO NOT COUNT: other processes took {share:0%} of the machine");
            report.Measurements.Add(new { size, rounds });

            Add("a round, s", "0.0", r => r.Seconds, Seconds);
            Add("CPU, s", "0.0", r => r.CpuSeconds);
            Add("Postgres, CPU-s", "0.0", r => r.ServerSeconds);
            Add("peak RSS, MiB", "0", r => r.PeakRssMiB, Memory);
            Add($"rows a day at audit.share {Share}", "N0", r => size / r.Seconds * Share * SecondsADay);

            void Add(string name, string format, Func<RoundCost, double> of, Target? target = null) => report.Add(
                $"{size:N0} rows", name, format, Figure.Of(rounds.Select(r => (double?)of(r))), target: target);
        }
    }

    private async Task<RoundCost> OnceAsync(BenchmarkStream stream, CancellationToken cancellationToken)
    {
        var server = place.Servers.PostgresSeconds();
        using var child = place.Host.Start(stream, "verify");
        var cost = await child.EndAsync(cancellationToken);
        var round = new RoundCost(
            cost.WallSeconds, cost.CpuSeconds, place.Servers.PostgresSeconds() - server, cost.PeakRssBytes / 1024.0 / 1024);
        place.Progress.Say(
            $"  {round.Seconds:0.0} s, CPU {round.CpuSeconds:0.0} s, Postgres {round.ServerSeconds:0.0} s, {round.PeakRssMiB:0} MiB");
        return round;
    }
}

/// <summary>What comparing everything took once.</summary>
/// <param name="Seconds">From the process's start to its end.</param>
/// <param name="CpuSeconds">Of the process.</param>
/// <param name="ServerSeconds">Of Postgres, in all of its sessions.</param>
/// <param name="PeakRssMiB">Of the process.</param>
internal sealed record RoundCost(double Seconds, double CpuSeconds, double ServerSeconds, double PeakRssMiB);
