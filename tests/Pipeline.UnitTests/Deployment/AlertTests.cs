using System.Text.RegularExpressions;
using k8s;
using OrdersStream.UnitTests.Stack;
using YamlDotNet.Serialization;
using YamlDotNet.Serialization.NamingConventions;

namespace OrdersStream.UnitTests.Deployment;

/// <summary>The alert rules, held against what the program exposes and the alerts that docs/operations.md asks for.</summary>
public sealed partial class AlertTests
{
    /// <summary>Labels that Prometheus gives to whatever it scrapes.</summary>
    private static readonly string[] OfPrometheus = ["namespace", "job", "instance"];

    private static readonly string Text = ComposeFile.RepositoryFile("deploy", "observability", "alerts.yaml");

    private static readonly AlertRule[] Rules =
    [
        .. KubernetesYaml.Deserialize<PrometheusRuleSpec>(Text, strict: true).Groups.SelectMany(g => g.Rules),
    ];

    private static readonly AlertTestGroup[] Tried =
    [
        .. new DeserializerBuilder().WithNamingConvention(UnderscoredNamingConvention.Instance).Build()
            .Deserialize<AlertTestFile>(ComposeFile.RepositoryFile("deploy", "observability", "alerts_test.yaml")).Tests,
    ];

    [Fact]
    public async Task every_metric_is_one_that_the_program_exposes()
    {
        var exposed = await ExposedMetrics.ReadAsync();
        Assert.Contains("messaging_client_sent_messages_total", exposed.Keys);
        Assert.All(Rules, rule =>
        {
            var named = ExposedMetrics.NamedIn(rule.Expr!);
            Assert.NotEmpty(named);
            Assert.Empty(named.Except(exposed.Keys));
        });
    }

    [Fact]
    public void every_alert_that_the_document_asks_for_is_there_and_no_other()
    {
        var lines = ComposeFile.RepositoryFile("docs", "operations.md").Split('\n')
            .SkipWhile(l => !l.StartsWith("Alert on ", StringComparison.Ordinal)).TakeWhile(l => l != "");
        // Which are shown there, and no alerts.
        var asked = ExposedMetrics.NamedIn(string.Join(' ', lines))
            .Except(["orders_stream_repaired_rows_total", "orders_stream_audit_age_seconds"]).ToHashSet();
        var watched = Rules.SelectMany(rule => ExposedMetrics.NamedIn(rule.Expr!)).ToHashSet();
        // What came into quarantine is seen by the lake's own count, too: a counter begins with what it counts first.
        Assert.Equal(asked.Append("orders_stream_lake_quarantined_records").Order(), watched.Order());
    }

    [Fact]
    public async Task every_label_is_one_that_the_metrics_bear()
    {
        var exposed = await ExposedMetrics.ReadAsync();
        foreach (var rule in Rules)
        {
            string[] known = [.. OfPrometheus, .. ExposedMetrics.NamedIn(rule.Expr!).SelectMany(m => exposed[m])];
            var used = Grouping().Matches(rule.Expr!).SelectMany(m => m.Groups[1].Value.Split(','))
                .Concat(Matcher().Matches(rule.Expr!).Select(m => m.Groups[1].Value))
                .Concat(rule.Annotations.Values.SelectMany(a => Label().Matches(a)).Select(m => m.Groups[1].Value)).Select(l => l.Trim());
            Assert.Empty(used.Except(known));
        }
    }

    [Fact]
    public void each_has_its_name_a_patience_and_says_what_to_do()
    {
        Assert.Equal(Rules.Length, Rules.Select(r => r.Alert).Distinct().Count());
        Assert.All(Rules, rule =>
        {
            Assert.StartsWith("OrdersStream", rule.Alert);
            Assert.Contains(rule.Labels["severity"], (string[])["critical", "warning"]);
            Assert.Equal(["description", "summary"], rule.Annotations.Keys.Order());
            Assert.DoesNotContain("", rule.Annotations.Values);
            Assert.Equal(rule.Expr!.Count(c => c == '('), rule.Expr!.Count(c => c == ')'));
            if (!rule.Expr!.Contains("[1h]", StringComparison.Ordinal)) Assert.InRange(Manifests.Seconds(rule.For!), 60, 4 * 3600);
        });
        var monitor = Assert.Single(Manifests.One<ServiceMonitor>("components/prometheus/servicemonitor.yaml").Spec.Endpoints);
        Assert.Equal("/metrics", monitor.Path);
        Assert.True(Manifests.Seconds(monitor.ScrapeTimeout!) <= Manifests.Seconds(monitor.Interval!));
    }

    /// <summary>An object of the operator cannot be led to another folder's file, so it has a copy.</summary>
    [Fact]
    public void the_rules_on_kubernetes_are_the_same_to_the_letter()
    {
        static IEnumerable<string> From(string text) =>
            text.Split('\n').SkipWhile(l => !l.TrimStart().StartsWith("groups:", StringComparison.Ordinal));

        var copied = From(Manifests.Read("components/prometheus/alerts.yaml"));
        Assert.Equal(From(Text).Select(l => l == "" ? "" : "  " + l), copied);
        Assert.Equal(
            Rules.Select(r => r.Alert),
            Manifests.One<PrometheusRule>("components/prometheus/alerts.yaml").Spec.Groups.SelectMany(g => g.Rules).Select(r => r.Alert));
    }

    /// <summary>What promtool is given are series as the program exposes them, not what a rule would like to see.</summary>
    [Fact]
    public async Task each_alert_is_tried_with_and_without_its_fault_on_series_of_the_program()
    {
        var exposed = await ExposedMetrics.ReadAsync();
        foreach (var series in Tried.SelectMany(t => t.InputSeries).Select(i => i.Series)
            .Where(s => !s.StartsWith("up{", StringComparison.Ordinal)))
        {
            var name = Assert.Single(ExposedMetrics.NamedIn(series));
            Assert.Contains(name, exposed.Keys);
            Assert.Empty(Matcher().Matches(series).Select(m => m.Groups[1].Value).Except(exposed[name]).Except(OfPrometheus));
        }
        var tries = Tried.SelectMany(t => t.AlertRuleTest).ToLookup(t => t.ExpAlerts.Count > 0, t => t.Alertname);
        var all = Rules.Select(r => r.Alert!).Order().ToList();
        Assert.Equal(all, tries[true].Distinct().Order());
        Assert.Equal(all, tries[false].Distinct().Order());
    }

    [GeneratedRegex(@"\bby \(([^)]*)\)")]
    private static partial Regex Grouping();

    [GeneratedRegex(@"[{,]\s*(\w+)\s*(?:!=|=~|!~|=)\s*""")]
    private static partial Regex Matcher();

    [GeneratedRegex(@"\$labels\.(\w+)")]
    private static partial Regex Label();
}

/// <summary>A file of promtool's, as far as it is looked at here.</summary>
internal sealed record AlertTestFile
{
    public List<string> RuleFiles { get; init; } = [];
    public string EvaluationInterval { get; init; } = "";
    public List<AlertTestGroup> Tests { get; init; } = [];
}

internal sealed record AlertTestGroup
{
    public string Name { get; init; } = "";
    public string Interval { get; init; } = "";
    public List<AlertTestSeries> InputSeries { get; init; } = [];
    public List<AlertTry> AlertRuleTest { get; init; } = [];
}

internal sealed record AlertTestSeries
{
    public string Series { get; init; } = "";
    public string Values { get; init; } = "";
}

internal sealed record AlertTry
{
    public string EvalTime { get; init; } = "";
    public string Alertname { get; init; } = "";
    public List<ExpectedAlert> ExpAlerts { get; init; } = [];
}

internal sealed record ExpectedAlert
{
    public Dictionary<string, string> ExpLabels { get; init; } = [];
    public Dictionary<string, string> ExpAnnotations { get; init; } = [];
}
