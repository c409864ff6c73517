using System.Collections.Immutable;
using System.Text;
using System.Text.RegularExpressions;
using OrdersStream.Audit;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Hosting;
using OrdersStream.Site;
using OrdersStream.Status;

namespace OrdersStream.UnitTests.Deployment;

/// <summary>
/// What /metrics answers for a stream that has done and met everything there is: names and labels as Prometheus gets them, each of them
/// asked of the program itself.
/// </summary>
internal static partial class ExposedMetrics
{
    private static readonly Lazy<Task<ImmutableDictionary<string, ImmutableHashSet<string>>>> Series = new(ScrapeAsync);

    /// <summary>The labels of each name.</summary>
    public static Task<ImmutableDictionary<string, ImmutableHashSet<string>>> ReadAsync() => Series.Value;

    /// <summary>The names of metrics of this program that an expression has, in their order.</summary>
    public static IReadOnlyList<string> NamedIn(string expression) =>
        [.. Metric().Matches(Grouping().Replace(expression, "")).Select(m => m.Value)];

    private static async Task<ImmutableDictionary<string, ImmutableHashSet<string>>> ScrapeAsync()
    {
        using var folder = new TempFolder();
        var state = new StreamingOptions { CheckpointLocation = folder["c"], LastProcessedTimestampLocation = folder["l"] };
        var options = new PipelineOptions { Kafka = new() { Topic = "orders" }, Streaming = state };
        var at = TimeProvider.System.GetUtcNow();
        var process = new ProcessStatus("LocalHost", at, []);
        // It counts from the moment it is made.
        using var export = new MetricsExport();
        await using var stream = new PipelineStream(
            options, new ProcessContext(TimeProvider.System, CrashPoints.None, _ => new TestLog(), process));
        Meet(stream.Metrics);
        stream.Gauges.Record(Seen(process));
        Directory.CreateDirectory(state.LastProcessedTimestampLocation);
        new AuditStateFile(options, CrashPoints.None).Write(new(new AuditFindings(at, at, 9, 5, 0, 1, 1, 1, 1, 2, 0)));
        var (_, text) = await export.ScrapeAsync(CancellationToken.None);
        return Encoding.UTF8.GetString(text.Span).Split('\n').Select(line => Sample().Match(line)).Where(m => m.Success)
            .GroupBy(m => m.Groups[1].Value, m => Label().Matches(m.Groups[2].Value).Select(l => l.Groups[1].Value))
            .ToImmutableDictionary(g => g.Key, g => g.SelectMany(labels => labels).ToImmutableHashSet());
    }

    private static void Meet(PipelineMetrics metrics)
    {
        metrics.PageRead(1, TimeSpan.FromSeconds(1));
        metrics.PagePublished(1, 1, TimeSpan.FromSeconds(1));
        metrics.PageFailed(new TimeoutException(), TimeSpan.FromSeconds(1));
        metrics.RowLeftOut();
        metrics.Repaired(1);
        metrics.Polled(FailureAction.Retry, TimeSpan.FromSeconds(1));
        metrics.Stored(1, 1, 1, 1, 1, TimeSpan.FromSeconds(1));
        metrics.PagesDropped(1, 1, 1);
        metrics.Failed("KafkaToLake", FailureAction.Retry);
    }

    private static PipelineStatus Seen(ProcessStatus process)
    {
        var (at, since) = (process.StartedAt, process.StartedAt.UtcDateTime);
        return new()
        {
            At = at,
            Process = process,
            Source = new("public.orders", "db:5432/food", Reachable: true, "15.1", OldestTransaction: new("open", since, 1, 1, "psql")),
            Topic = new("orders", "kafka:9092", Reachable: true),
            Lake = new("lake", Reachable: true, 1, 1, 1, [], []),
            Capture = new(1, 1, since, since, new(1, "initial load", 1, 1, 2, 0.5, since, 1, 1), 1),
            Halves = [new("KafkaToLake", HalfState.Running, Health.Well, "runs", at, 1)],
            Partitions = [new(0, 0, 2, 1, 1, 1, 0, 1, at)],
            Flow = new("process", at, null, null, []),
        };
    }

    [GeneratedRegex(@"^(\w+)(?:\{(.*)\})? \S")]
    private static partial Regex Sample();

    [GeneratedRegex(@"(\w+)=""")]
    private static partial Regex Label();

    /// <summary>Labels may begin as metrics do.</summary>
    [GeneratedRegex(@"\bby \([^)]*\)")]
    private static partial Regex Grouping();

    [GeneratedRegex(@"\b(?:orders_stream|messaging|db|dotnet)_\w+")]
    private static partial Regex Metric();
}
