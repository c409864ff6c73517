using System.Diagnostics;
using OrdersStream.Benchmarks.Measuring;
using OrdersStream.Benchmarks.Running;

namespace OrdersStream.Benchmarks;

/// <summary>What <c>growth</c> was asked to do.</summary>
internal sealed record GrowthOptions(string Command, int[] Sizes, int Changes, int Runs, bool Spread, string? JsonFile);

/// <summary>The same number of changes on tables of different sizes: what capturing them costs must not follow the size.</summary>
internal sealed class Growth(Workplace place, OrdersSource source, GrowthOptions options)
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>
    /// Longer than the slack of a table with our trigger: until then a poll reads the entries of the changes before over again.
    /// </summary>
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(12);

    public static Task<int> RunAsync(GrowthOptions options, CancellationToken cancellationToken) =>
        Workplace.ReportAsync(options.Command, options.JsonFile, async (place, source, report) =>
        {
            var which = options.Spread ? "spread over the table" : "of the same orders";
            report.Notes.Add($"{options.Changes:N0} updates {which}, in one transaction, {options.Runs} times; {place.Servers.BrokerNote}");
            await new Growth(place, source, options).MeasureAsync(report, cancellationToken);
        }, cancellationToken);

    private async Task MeasureAsync(Report report, CancellationToken cancellationToken)
    {
        GrowthCost[]? first = null;
        foreach (var size in options.Sizes.Order())
        {
            place.Progress.Say($"filling the table up to {size:N0} orders");
            await source.FillAsync(size, cancellationToken);
            var others = place.Servers.Others.Begin();
            var costs = await AtSizeAsync(size, cancellationToken);
            if (others.Share() is > OtherProcesses.ShareMax and var share)
                report.Notes.Add($"{size:N0} rows DO NOT COUNT: other processes took {share:0%} of the machine");
            report.Measurements.Add(new { size, costs });
            first ??= costs;
            Add("from commit to topic, s", "0.000", c => c.Seconds);
            Add("CPU, ms", "0.0", c => c.CpuSeconds * 1000);
            Add("Postgres, ms", "0.0", c => c.ServerSeconds * 1000);

            void Add(string name, string format, Func<GrowthCost, double> of)
            {
                var figure = Figure.Of(costs.Select(c => (double?)of(c)))!;
                var least = Figure.Of(first.Select(c => (double?)of(c)))!.Median;
                var share = size == options.Sizes.Min() ? null : new Share(
                    $"{options.Sizes.Min():N0} rows", new(figure.Median / least, figure.Lowest / least, figure.Highest / least));
                // Waiting for the next poll is a matter of chance: of the time until it is there only the costs are to be the same.
                report.Add(
                    $"{size:N0} rows", name, format, figure, share,
                    share is null || of(costs[0]) == costs[0].Seconds ? null : Target.AtMost(1.1));
            }
        }
    }

    private async Task<GrowthCost[]> AtSizeAsync(int size, CancellationToken cancellationToken)
    {
        await using var stream = place.NewStream(source);
        using var topic = new TopicLook(stream.Options.Kafka.Brokers, stream.Options.Kafka.Topic, stream.Options.Kafka.Partitions);
        place.Progress.Say($"first load of {size:N0} orders");
        using (var load = place.Host.Run(stream, "--once", "--only", "postgres-to-kafka")) await load.EndAsync(cancellationToken);

        using var child = place.Host.Run(stream, "--only", "postgres-to-kafka");
        var costs = new List<GrowthCost>();
        // The first time opens connections and fills caches.
        for (var i = 0; i <= options.Runs; i++)
        {
            await Task.Delay(Pause, cancellationToken);
            var cost = await OnceAsync(size, i, child, topic, cancellationToken);
            if (i == 0) continue;
            costs.Add(cost);
            place.Progress.Say($"  {cost.Seconds:0.000} s, CPU {cost.CpuSeconds * 1000:0} ms, Postgres {cost.ServerSeconds * 1000:0.0} ms");
        }
        child.SendTerm();
        await child.EndAsync(cancellationToken);
        return [.. costs];
    }

    private async Task<GrowthCost> OnceAsync(int size, int turn, Child child, TopicLook topic, CancellationToken cancellationToken)
    {
        if (child.HasEnded) throw child.Failed("it ended");
        var sessions = await source.PipelineSessionsAsync();
        // The same rows at each size, unless they are to lie as far apart as they can: then each is on a page of its own in a large table.
        var among = options.Spread ? size : options.Sizes.Min();
        var changes = Math.Min(options.Changes, among);
        var end = await topic.EndAsync();
        var (cpu, server) = (child.CpuSeconds(), sessions.Sum(ProcessTimes.ExactSeconds));
        await source.ExecuteAsync(
            $"UPDATE {OrdersSource.Table} SET order_status = 'DELIVERED' "
            + $"WHERE order_id IN (SELECT 1 + ({turn} + n * {among / changes}::bigint) % {among} FROM generate_series(0, {changes - 1}) n)",
            cancellationToken);
        var committed = Stopwatch.GetTimestamp();
        using var timer = new PeriodicTimer(Tick);
        while (await topic.EndAsync() < end + changes)
        {
            if (Stopwatch.GetElapsedTime(committed) > Patience)
                throw child.Failed($"{changes} changes were not in the topic after {Patience.TotalSeconds} s");
            await timer.WaitForNextTickAsync(cancellationToken);
        }
        var seconds = Stopwatch.GetElapsedTime(committed).TotalSeconds;
        // What the poll does behind its commit belongs to it.
        await Task.Delay(TimeSpan.FromMilliseconds(500), cancellationToken);
        return new(seconds, child.CpuSeconds() - cpu, sessions.Sum(ProcessTimes.ExactSeconds) - server);
    }
}

/// <summary>What capturing the changes took once.</summary>
/// <param name="Seconds">From their commit until the last was in the topic.</param>
/// <param name="CpuSeconds">Of this side.</param>
/// <param name="ServerSeconds">Of the pipeline's session in Postgres.</param>
internal sealed record GrowthCost(double Seconds, double CpuSeconds, double ServerSeconds);
