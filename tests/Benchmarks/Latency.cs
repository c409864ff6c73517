using System.Diagnostics;
using Npgsql;
using OrdersStream.Benchmarks.Measuring;
using OrdersStream.Benchmarks.Running;
using Parquet;

namespace OrdersStream.Benchmarks;

/// <summary>What <c>latency</c> was asked to do.</summary>
internal sealed record LatencyOptions(string Command, int Rate, int Seconds, string? JsonFile);

/// <summary>
/// A steady rate of transactions of one row: how long from the commit until the row is in a visible file, and what that costs.
/// </summary>
internal sealed class Latency(Workplace place, OrdersSource source, BenchmarkStream stream, LatencyOptions options)
{
    private const int Clients = 4, RowsBefore = 1_000;
    private const double IntervalSeconds = 1;
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan ArrivalMax = TimeSpan.FromSeconds(60);

    private readonly Dictionary<long, long> committed = [];
    private readonly Dictionary<long, long> visible = [];

    public static Task<int> RunAsync(LatencyOptions options, CancellationToken cancellationToken) =>
        Workplace.ReportAsync(options.Command, options.JsonFile, async (place, source, report) =>
        {
            await source.FillAsync(RowsBefore, cancellationToken);
            await using var stream = place.NewStream(source);
            report.Notes.Add(
                $"{options.Rate} transactions of one row a second for {options.Seconds} s, batch_interval {IntervalSeconds:0} s; "
                + $"{place.Servers.BrokerNote}");
            await new Latency(place, source, stream, options).MeasureAsync(report, cancellationToken);
        }, cancellationToken);

    private async Task MeasureAsync(Report report, CancellationToken cancellationToken)
    {
        using var child = place.Host.Run(stream);
        await stream.Lake.UntilAsync(RowsBefore, child, cancellationToken);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var watch = WatchAsync(stop.Token);
        // The first seconds of a process open its connections and fill its caches.
        place.Progress.Say("warming up");
        await PlaceOrdersAsync(10, false, cancellationToken);

        place.Progress.Say($"{options.Rate} orders a second for {options.Seconds} s");
        var others = place.Servers.Others.Begin();
        var (begun, cpu) = (Stopwatch.GetTimestamp(), child.CpuSeconds());
        await PlaceOrdersAsync(options.Seconds, true, cancellationToken);
        var (seconds, cpuSeconds, othersShare) = (Stopwatch.GetElapsedTime(begun).TotalSeconds, child.CpuSeconds() - cpu, others.Share());

        await UntilArrivedAsync(child, cancellationToken);
        await stop.CancelAsync();
        await watch;
        child.SendTerm();
        var cost = await child.EndAsync(cancellationToken);
        Add(report, cpuSeconds * 60 / seconds, cost);
        if (othersShare > OtherProcesses.ShareMax)
            report.Notes.Add($"DOES NOT COUNT: other processes took {othersShare:0%} of the machine");
    }

    private void Add(Report report, double cpuSecondsPerMinute, ChildCost cost)
    {
        var latencies = committed.Select(o => Stopwatch.GetElapsedTime(o.Value, visible[o.Key]).TotalSeconds).Order().ToList();
        report.Notes.Add($"{latencies.Count:N0} orders, from the acknowledged commit to a visible file that holds the order");
        AddOne("p50, s", Figure.Percentile(latencies, 0.5), Target.AtMost(1.1 * IntervalSeconds));
        AddOne("p90, s", Figure.Percentile(latencies, 0.9), null);
        AddOne("p99, s", Figure.Percentile(latencies, 0.99), Target.AtMost(2 * IntervalSeconds + 0.25));
        AddOne("longest, s", latencies[^1], null);
        AddOne("CPU-seconds a minute", cpuSecondsPerMinute, Target.AtMost(3));
        report.Add("latency", "peak RSS, MiB", "0", Figure.Of([cost.PeakRssBytes / 1024.0 / 1024]));

        void AddOne(string name, double value, Target? target) => report.Add("latency", name, "0.000", Figure.Of([value]), target: target);
    }

    private Task PlaceOrdersAsync(int seconds, bool counts, CancellationToken cancellationToken) =>
        Task.WhenAll(Enumerable.Range(0, Clients).Select(client => PlaceOrdersAsync(client, seconds, counts, cancellationToken)));

    // Each client keeps to the clock and not to the last order: one that was slow is made up for.
    private async Task PlaceOrdersAsync(int client, int seconds, bool counts, CancellationToken cancellationToken)
    {
        await using var connection = new NpgsqlConnection(source.Owner);
        await connection.OpenAsync(cancellationToken);
        await using var insert = new NpgsqlCommand(
            $"INSERT INTO {OrdersSource.Table} (customer_name, restaurant_name, item, amount) "
            + "VALUES ('Hema Joshi', 'Café Lobo', 'Fish Curry Meal', 312.50) RETURNING order_id", connection);
        await insert.PrepareAsync(cancellationToken);
        var begun = Stopwatch.GetTimestamp();
        for (var i = client; i < options.Rate * seconds; i += Clients)
        {
            var early = TimeSpan.FromSeconds((double)i / options.Rate) - Stopwatch.GetElapsedTime(begun);
            if (early > TimeSpan.Zero) await Task.Delay(early, cancellationToken);
            var id = (long)(await insert.ExecuteScalarAsync(cancellationToken))!;
            var now = Stopwatch.GetTimestamp();
            if (!counts) continue;
            lock (committed) committed[id] = now;
        }
    }

    private async Task WatchAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(Tick);
        try
        {
            while (await timer.WaitForNextTickAsync(cancellationToken))
            {
                var now = Stopwatch.GetTimestamp();
                foreach (var file in await stream.Lake.TakeNewAsync(cancellationToken))
                    foreach (var id in await OrderIdsAsync(file.Path, cancellationToken))
                        lock (visible) visible.TryAdd(id, now);
            }
        }
        catch (OperationCanceledException)
        {
            // The regular end.
        }
    }

    private async Task UntilArrivedAsync(Child child, CancellationToken cancellationToken)
    {
        var begun = Stopwatch.GetTimestamp();
        while (true)
        {
            int missing;
            lock (visible) missing = committed.Keys.Count(id => !visible.ContainsKey(id));
            if (missing == 0) return;
            if (child.HasEnded) throw child.Failed("it ended before all orders were in the lake");
            if (Stopwatch.GetElapsedTime(begun) > ArrivalMax)
                throw new BenchmarkException(
                    $"{missing} orders were not in the lake {ArrivalMax.TotalSeconds} s after the last was placed");
            await Task.Delay(Tick, cancellationToken);
        }
    }

    private static async Task<List<long>> OrderIdsAsync(string file, CancellationToken cancellationToken)
    {
        await using var reader = await ParquetReader.CreateAsync(file, cancellationToken: cancellationToken);
        var field = reader.Schema.FindDataField("order_id");
        var ids = new List<long>();
        for (var g = 0; g < reader.RowGroupCount; g++)
        {
            using var group = reader.OpenRowGroupReader(g);
            var values = new long[group.RowCount];
            await group.ReadAsync<long>(field, values, cancellationToken: cancellationToken);
            ids.AddRange(values);
        }
        return ids;
    }
}
