using System.Diagnostics;
using OrdersStream.Benchmarks.Measuring;
using OrdersStream.Benchmarks.Running;

namespace OrdersStream.Benchmarks;

/// <summary>What <c>instances</c> was asked to do.</summary>
internal sealed record InstancesOptions(string Command, int Rows, int[] Counts, int Percent, int Partitions, string? JsonFile);

/// <summary>
/// The same backlog stored by one process and by several, each of which is held to the same share of a core: what an instance more brings
/// where there are cores for it. The broker is not held.
/// </summary>
internal sealed class Instances(Workplace place, OrdersSource source, InstancesOptions options)
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(50);

    public static Task<int> RunAsync(InstancesOptions options, CancellationToken cancellationToken) =>
        Workplace.ReportAsync(options.Command, options.JsonFile, async (place, source, report) =>
        {
            if (!place.Servers.Kafka.IsReal) throw new BenchmarkException($"a group needs a real broker; {place.Servers.BrokerNote}");
            report.Notes.Add(
                $"a backlog of {options.Rows:N0} orders in {options.Partitions} partitions, "
                + $"{options.Percent}% of a core for each instance; " + place.Servers.BrokerNote);
            await new Instances(place, source, options).MeasureAsync(report, cancellationToken);
        }, cancellationToken);

    private async Task MeasureAsync(Report report, CancellationToken cancellationToken)
    {
        place.Progress.Say($"filling the table with {options.Rows:N0} orders, and the topic from it");
        await source.FillAsync(options.Rows, cancellationToken);
        await using var filled = place.NewStream(
            source, configure: o => o with { Kafka = o.Kafka with { Partitions = options.Partitions } });
        using (var load = place.Host.Run(filled, "--once", "--only", "postgres-to-kafka")) await load.EndAsync(cancellationToken);

        InstancesCost? one = null;
        foreach (var count in options.Counts.Order())
        {
            var others = place.Servers.Others.Begin();
            var cost = await StoreAsync(filled, count, cancellationToken);
            if (others.Share() is > OtherProcesses.ShareMax and var share)
                report.Notes.Add($"{count} DO NOT COUNT: other processes took {share:0%} of the machine");
            one ??= cost;
            report.Measurements.Add(cost);
            Add("rows/s", "N0", c => options.Rows / c.Seconds, Target.AtLeast(count < 8 ? 0.6 * count / one.Count : 3.0 / one.Count));
            Add("CPU, us a row", "0.00", c => c.CpuSeconds / options.Rows * 1e6);
            Add("broker and others of this, cores", "0.00", c => c.OtherCores);
            place.Progress.Say($"  {count}: {cost.Seconds:0.0} s, CPU {cost.CpuSeconds:0.0} s");

            void Add(string name, string format, Func<InstancesCost, double> of, Target? target = null) => report.Add(
                $"{count} instance{(count == 1 ? "" : "s")}", name, format, Figure.Of([of(cost)]),
                target is null || cost == one ? null : new($"{one.Count}", Figure.Of([of(cost) / of(one)])!), cost == one ? null : target);
        }
    }

    /// <summary>By a group of its own, into a lake of its own.</summary>
    private async Task<InstancesCost> StoreAsync(BenchmarkStream filled, int count, CancellationToken cancellationToken)
    {
        await using var stream = place.NewStream(
            source, configure: o => o with { Kafka = filled.Options.Kafka with { GroupId = o.Kafka.Topic } });
        var begun = Stopwatch.GetTimestamp();
        var busy = Machine.BusySeconds();
        var children = Enumerable.Range(0, count).Select(_ => place.Host.Run(stream, "--only", "kafka-to-lake")).ToList();
        try
        {
            await using (new ProcessorShare(children, options.Percent / 100.0))
            {
                using var timer = new PeriodicTimer(Tick);
                while (await stream.Lake.CountAsync(cancellationToken) is var stored && stored != options.Rows)
                {
                    if (stored > options.Rows) throw new BenchmarkException($"the lake holds {stored} rows of {options.Rows}");
                    if (children.Find(c => c.HasEnded) is { } ended) throw ended.Failed("it ended before the lake had all rows");
                    await timer.WaitForNextTickAsync(cancellationToken);
                }
            }
            var seconds = Stopwatch.GetElapsedTime(begun).TotalSeconds;
            var own = children.Sum(c => c.CpuSeconds());
            var cost = new InstancesCost(count, seconds, own, (Machine.BusySeconds() - busy - own) / seconds);
            foreach (var child in children) child.SendTerm();
            foreach (var child in children) await child.EndAsync(cancellationToken);
            return cost;
        }
        finally
        {
            foreach (var child in children) child.Dispose();
        }
    }
}

/// <summary>What storing the backlog took.</summary>
/// <param name="Count">Instances.</param>
/// <param name="Seconds">From their start until the lake had all of it.</param>
/// <param name="CpuSeconds">Of all of them.</param>
/// <param name="OtherCores">What all else on the machine took meanwhile, the broker above all, in cores.</param>
internal sealed record InstancesCost(int Count, double Seconds, double CpuSeconds, double OtherCores);
