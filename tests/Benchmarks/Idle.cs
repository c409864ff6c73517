using System.Diagnostics;
using System.Text.RegularExpressions;
using OrdersStream.Benchmarks.Measuring;
using OrdersStream.Benchmarks.Running;

namespace OrdersStream.Benchmarks;

/// <summary>What <c>idle</c> was asked to do.</summary>
internal sealed record IdleOptions(string Command, int Rows, int Seconds, string? JsonFile);

/// <summary>A table in which nothing changes: what watching it costs this side and the server.</summary>
internal sealed partial class Idle(Workplace place, OrdersSource source, BenchmarkStream stream, IdleOptions options)
{
    private const double PollsPerSecond = 1;
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Counting = TimeSpan.FromSeconds(10);

    public static Task<int> RunAsync(IdleOptions options, CancellationToken cancellationToken) =>
        Workplace.ReportAsync(options.Command, options.JsonFile, async (place, source, report) =>
        {
            await source.FillAsync(options.Rows, cancellationToken);
            await using var stream = place.NewStream(source);
            report.Notes.Add(
                $"an unchanged table of {options.Rows:N0} orders, {options.Seconds} s, batch_interval 1 s; {place.Servers.BrokerNote}");
            await new Idle(place, source, stream, options).MeasureAsync(report, cancellationToken);
        }, cancellationToken);

    private async Task MeasureAsync(Report report, CancellationToken cancellationToken)
    {
        using var child = place.Host.Run(stream);
        await stream.Lake.UntilAsync(options.Rows, child, cancellationToken);
        await Task.Delay(Settling, cancellationToken);
        var sessions = await source.PipelineSessionsAsync();

        place.Progress.Say($"watching it for {options.Seconds} s");
        var others = place.Servers.Others.Begin();
        var (begun, cpu, server) = (Stopwatch.GetTimestamp(), child.CpuSeconds(), sessions.Sum(ProcessTimes.ExactSeconds));
        await Task.Delay(TimeSpan.FromSeconds(options.Seconds), cancellationToken);
        var seconds = Stopwatch.GetElapsedTime(begun).TotalSeconds;
        var (cpuSeconds, serverSeconds, othersShare) = (
            child.CpuSeconds() - cpu, sessions.Sum(ProcessTimes.ExactSeconds) - server, others.Share());
        var statements = await CountStatementsAsync(sessions, cancellationToken);
        child.SendTerm();
        await child.EndAsync(cancellationToken);

        Add("CPU, percent of one core", "0.00", cpuSeconds / seconds * 100, Target.AtMost(0.5));
        Add("CPU-seconds a minute", "0.00", cpuSeconds / seconds * 60, null);
        Add("Postgres, ms a poll", "0.00", serverSeconds * 1000 / (seconds * PollsPerSecond), Target.AtMost(2));
        Add("Postgres, CPU-seconds a minute", "0.000", serverSeconds / seconds * 60, null);
        Add("statements a poll", "0.0", statements / (Counting.TotalSeconds * PollsPerSecond), Target.AtMost(1));
        if (othersShare > OtherProcesses.ShareMax)
            report.Notes.Add($"DOES NOT COUNT: other processes took {othersShare:0%} of the machine");

        void Add(string name, string format, double value, Target? target) =>
            report.Add("idle", name, format, Figure.Of([value]), target: target);
    }

    // By itself, since writing the log is work for the server.
    private async Task<int> CountStatementsAsync(IReadOnlyList<int> sessions, CancellationToken cancellationToken)
    {
        place.Progress.Say($"counting statements for {Counting.TotalSeconds:0} s");
        var log = Path.Combine(place.Servers.Postgres.Socket.Folder, "postgres.log");
        await SetAsync("log_statement = 'all'");
        var before = Count();
        await Task.Delay(Counting, cancellationToken);
        var after = Count();
        await SetAsync("log_statement = 'none'");
        return after - before;

        int Count() =>
            File.ReadLines(log).Count(
                l => StatementPattern().Match(l) is { Success: true } m && sessions.Contains((int)Machine.Parse(m.Groups[1].Value)));

        async Task SetAsync(string setting)
        {
            await source.ExecuteAsync($"ALTER SYSTEM SET {setting}", cancellationToken);
            await source.ExecuteAsync("SELECT pg_reload_conf()", cancellationToken);
        }
    }

    [GeneratedRegex(@"^(\d+) LOG:  (statement|execute [^:]*): ")]
    private static partial Regex StatementPattern();
}
