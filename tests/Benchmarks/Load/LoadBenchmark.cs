using OrdersStream.Benchmarks.Measuring;
using OrdersStream.Benchmarks.Running;

namespace OrdersStream.Benchmarks.Load;

/// <summary>What <c>load</c> was asked to do.</summary>
internal sealed record LoadOptions(string Command, int Rows, int Runs, int LargeRows, string? JsonFile);

/// <summary>
/// The first load of a table: both halves, each alone and both at once, against what the machine can do in the same minutes.
/// </summary>
internal static class LoadBenchmark
{
    public static Task<int> RunAsync(LoadOptions options, CancellationToken cancellationToken) =>
        Workplace.ReportAsync(options.Command, options.JsonFile, async (place, source, report) =>
        {
            place.Progress.Say($"filling the table with {options.Rows:N0} orders");
            await source.FillAsync(options.Rows, cancellationToken);
            if (options.LargeRows > 0) await LargeRows.CreateAsync(source, options.LargeRows, cancellationToken);
            var (runs, helps) = await MeasureAsync(place, source, options, cancellationToken);
            report.Notes.Add(
                $"{options.Rows:N0} orders of {await source.RowBytesAsync()} bytes in the table's file, batch_interval 1, 4 partitions; "
                + $"{place.Servers.BrokerNote}");
            LoadReport.Fill(report, runs, Figure.Of(helps));
        }, cancellationToken);

    private static async Task<(List<IReadOnlyList<Measurement>> Runs, List<double?> Helps)> MeasureAsync(
        Workplace place, OrdersSource source, LoadOptions options, CancellationToken cancellationToken)
    {
        var runs = new List<IReadOnlyList<Measurement>>();
        var helps = new List<double?>();
        for (var i = 1; i <= options.Runs; i++)
        {
            place.Progress.Say($"run {i} of {options.Runs}");
            var measurements = (await new LoadRun(place, source, options.Rows).AllAsync(cancellationToken)).ToList();
            if (options.LargeRows > 0) measurements.Add(await LoadRun.LargeRowsAsync(place, source, options.LargeRows, cancellationToken));
            runs.Add(measurements);
            using var help = place.Host.Start("--help");
            helps.Add((await help.EndAsync(cancellationToken)).WallSeconds);
        }
        return (runs, helps);
    }
}
