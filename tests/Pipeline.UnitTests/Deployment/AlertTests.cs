using System.Diagnostics.Metrics;
using System.Text.RegularExpressions;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Hosting;
using OrdersStream.Status;
using OrdersStream.UnitTests.Stack;

namespace OrdersStream.UnitTests.Deployment;

/// <summary>The alert rules, held against the metrics that the program has and the alerts that docs/operations.md asks for.</summary>
public sealed partial class AlertTests
{
    private static readonly string[] OfPrometheus = ["namespace"];

    private static readonly AlertRule[] Rules =
    [
        .. Manifests.One<PrometheusRule>("components/prometheus/alerts.yaml").Spec.Groups.SelectMany(g => g.Rules),
    ];

    [Fact]
    public async Task every_metric_is_one_that_the_program_has()
    {
        var there = await MetricsAsync();
        Assert.Contains("orders_stream_capture_lag_seconds", there);
        Assert.Contains("messaging_client_sent_messages_total", there);
        Assert.All(Rules, rule =>
        {
            var named = Metric().Matches(rule.Expr!).Select(m => m.Value).ToList();
            Assert.NotEmpty(named);
            Assert.Empty(named.Except(there));
        });
    }

    [Fact]
    public void every_alert_that_the_document_asks_for_is_there_and_no_other()
    {
        var lines = ComposeFile.RepositoryFile("docs", "operations.md").Split('\n')
            .SkipWhile(l => !l.StartsWith("Alert on ", StringComparison.Ordinal)).TakeWhile(l => l != "");
        // Which is shown there, and no alert.
        var asked = Metric().Matches(string.Join(' ', lines)).Select(m => m.Value)
            .Where(m => m != "orders_stream_repaired_rows_total").ToHashSet();
        var watched = Rules.SelectMany(rule => Metric().Matches(rule.Expr!)).Select(m => m.Value).ToHashSet();
        // What came into quarantine is seen by the lake's own count, too: a counter begins with what it counts first.
        Assert.Equal(asked.Append("orders_stream_lake_quarantined_records").Order(), watched.Order());
    }

    [Fact]
    public void every_label_is_one_that_the_metrics_bear()
    {
        var bears = new Dictionary<string, string[]>
        {
            ["orders_stream_up"] = ["part"], ["orders_stream_half_up"] = ["half"], ["orders_stream_audit_differences"] = ["kind"],
        };
        foreach (var rule in Rules)
        {
            string[] known = [.. OfPrometheus, .. Metric().Matches(rule.Expr!).SelectMany(m => bears.GetValueOrDefault(m.Value) ?? [])];
            var used = Grouping().Matches(rule.Expr!).SelectMany(m => m.Groups[1].Value.Split(','))
                .Concat(Matcher().Matches(rule.Expr!).Select(m => m.Groups[1].Value))
                .Concat(rule.Annotations.Values.SelectMany(a => Label().Matches(a)).Select(m => m.Groups[1].Value)).Select(l => l.Trim());
            Assert.Empty(used.Except(known));
        }
    }

    [Fact]
    public void each_has_its_name_a_patience_and_a_summary()
    {
        Assert.Equal(Rules.Length, Rules.Select(r => r.Alert).Distinct().Count());
        Assert.All(Rules, rule =>
        {
            Assert.StartsWith("OrdersStream", rule.Alert);
            Assert.Contains(rule.Labels["severity"], (string[])["critical", "warning"]);
            Assert.NotEqual("", rule.Annotations["summary"]);
            Assert.Equal(rule.Expr!.Count(c => c == '('), rule.Expr!.Count(c => c == ')'));
            if (!rule.Expr!.Contains("[1h]", StringComparison.Ordinal)) Assert.InRange(Manifests.Seconds(rule.For!), 60, 4 * 3600);
        });
        var monitor = Assert.Single(Manifests.One<ServiceMonitor>("components/prometheus/servicemonitor.yaml").Spec.Endpoints);
        Assert.Equal("/metrics", monitor.Path);
        Assert.True(Manifests.Seconds(monitor.ScrapeTimeout!) <= Manifests.Seconds(monitor.Interval!));
    }

    /// <summary>Named as the exporter names them: with underscores, behind them the unit and, of a counter, total.</summary>
    private static async Task<HashSet<string>> MetricsAsync()
    {
        using var folder = new TempFolder();
        var state = new StreamingOptions { CheckpointLocation = folder["c"], LastProcessedTimestampLocation = folder["l"] };
        var options = new PipelineOptions { Kafka = new() { Topic = "orders" }, Streaming = state };
        var process = new ProcessStatus("LocalHost", TimeProvider.System.GetUtcNow(), []);
        await using var stream = new PipelineStream(
            options, new ProcessContext(TimeProvider.System, CrashPoints.OfProcess, _ => new TestLog(), process));
        var names = new HashSet<string>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, _) =>
        {
            if (instrument.Meter == stream.Metrics.Meter) names.Add(NameOf(instrument));
        };
        listener.Start();
        return names;
    }

    private static string NameOf(Instrument instrument)
    {
        var unit = instrument.Unit switch { "s" => "_seconds", "By" => "_bytes", "1" => "_ratio", _ => "" };
        return instrument.Name.Replace('.', '_') + unit + (instrument is Counter<long> ? "_total" : "");
    }

    [GeneratedRegex(@"\b(orders_stream|messaging|db)_\w+")]
    private static partial Regex Metric();

    [GeneratedRegex(@"\bby \(([^)]*)\)")]
    private static partial Regex Grouping();

    [GeneratedRegex(@"[{,]\s*(\w+)\s*(?:!=|=~|!~|=)\s*""")]
    private static partial Regex Matcher();

    [GeneratedRegex(@"\$labels\.(\w+)")]
    private static partial Regex Label();
}
