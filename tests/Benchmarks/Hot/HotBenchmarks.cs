using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.NoEmit;
using OrdersStream.TestKit;

namespace OrdersStream.Benchmarks.Hot;

/// <summary>
/// Runs the benchmarks of hot code in this process: a generated project would not know this repository's package versions.
/// </summary>
internal static class HotBenchmarks
{
    public static int Run(string filter)
    {
        using var folder = new TestFolder("bench");
        var config = ManualConfig.CreateEmpty()
            .AddJob(Job.Default.WithToolchain(InProcessNoEmitToolchain.Instance))
            .AddColumnProvider(DefaultColumnProviders.Instance)
            .AddLogger(ConsoleLogger.Default)
            .WithOptions(ConfigOptions.JoinSummary)
            .WithArtifactsPath(folder.Path);
        var summaries = BenchmarkSwitcher.FromTypes([typeof(RowToMessage), typeof(MessageToColumns), typeof(ColumnsToFile)])
            .Run(["--filter", filter], config).ToList();
        return summaries.Count > 0 && summaries.All(s => !s.HasCriticalValidationErrors && s.Reports.All(r => r.Success)) ? 0 : 1;
    }
}
