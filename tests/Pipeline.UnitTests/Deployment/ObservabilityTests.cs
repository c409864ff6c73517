using System.Text.Json;
using System.Text.RegularExpressions;
using OrdersStream.UnitTests.Configuration;
using OrdersStream.UnitTests.Stack;

namespace OrdersStream.UnitTests.Deployment;

/// <summary>deploy/observability as Prometheus reads it, and the dashboard held against what the program exposes.</summary>
public sealed partial class ObservabilityTests
{
    private static readonly string Folder = Path.Combine(ConfigurationFile.Repository, "deploy", "observability");

    private static readonly JsonElement Dashboard =
        JsonDocument.Parse(ComposeFile.RepositoryFile("deploy", "observability", "dashboard.json")).RootElement;

    private static readonly JsonElement[] Panels = [.. Dashboard.GetProperty("panels").EnumerateArray()];

    private static readonly (string Title, string Expression, string Legend)[] Targets =
    [
        .. from panel in Panels
           from target in panel.GetProperty("targets").EnumerateArray()
           select (Text(panel, "title"), Text(target, "expr"), Text(target, "legendFormat")),
    ];

    [Fact]
    public Task each_alert_fires_by_its_fault_and_is_silent_without_it() =>
        Promtool.AcceptsAsync("test", "rules", Path.Combine(Folder, "alerts_test.yaml"));

    [Fact]
    public async Task each_expression_of_the_dashboard_is_one_that_prometheus_understands()
    {
        using var folder = new TempFolder();
        var rules = Targets.Select((t, i) => $"      - {{record: \"target:{i}\", expr: {JsonSerializer.Serialize(Filled(t.Expression))}}}");
        await File.WriteAllLinesAsync(folder["rules.yaml"], ["groups:", "  - name: dashboard", "    rules:", .. rules]);
        await Promtool.AcceptsAsync("check", "rules", folder["rules.yaml"]);

        static string Filled(string expression) => expression.Replace("$__rate_interval", "5m", StringComparison.Ordinal);
    }

    [Fact]
    public async Task the_dashboard_shows_metrics_and_labels_that_the_program_exposes()
    {
        var exposed = await ExposedMetrics.ReadAsync();
        Assert.All(Targets, target =>
        {
            var named = ExposedMetrics.NamedIn(target.Expression);
            Assert.NotEmpty(named);
            Assert.Empty(named.Except(exposed.Keys));
            string[] known = ["namespace", "job", "instance", .. named.SelectMany(m => exposed[m])];
            var used = Grouping().Matches(target.Expression).SelectMany(m => m.Groups[1].Value.Split(", "))
                .Concat(Shown().Matches(target.Legend).Select(m => m.Groups[1].Value))
                .Concat(Matched().Matches(target.Expression).Select(m => m.Groups[1].Value));
            Assert.Empty(used.Except(known));
            // Each is of the stream that was chosen.
            Assert.Equal(named.Count, Chosen().Count(target.Expression));
        });
        // What is watched by alerts, and what was done, can both be seen.
        foreach (var name in exposed.Keys.Where(n => n.StartsWith("orders_stream_", StringComparison.Ordinal) && !IsPart(n)))
            Assert.True(Targets.Any(t => ExposedMetrics.NamedIn(t.Expression).Any(m => m == name || m == $"{name}_bucket")), name);

        static bool IsPart(string name) => name.EndsWith("_sum", StringComparison.Ordinal)
            || name.EndsWith("_count", StringComparison.Ordinal) || name.EndsWith("_bucket", StringComparison.Ordinal);
    }

    [Fact]
    public void its_panels_have_titles_say_what_they_show_and_lie_beside_each_other()
    {
        Assert.Equal(Panels.Length, Panels.Select(p => p.GetProperty("id").GetInt32()).Distinct().Count());
        Assert.Equal(Panels.Length, Panels.Select(p => Text(p, "title")).Distinct().Count());
        Assert.All(Panels, p => Assert.NotEqual("", Text(p, "description")));
        var cells = Panels.SelectMany(p =>
        {
            var at = p.GetProperty("gridPos");
            var (x, y, w, h) = (Number(at, "x"), Number(at, "y"), Number(at, "w"), Number(at, "h"));
            Assert.InRange(x + w, 1, 24);
            return Enumerable.Range(x, w).SelectMany(_ => Enumerable.Range(y, h), (column, row) => (column, row));
        }).ToList();
        Assert.Equal(cells.Count, cells.Distinct().Count());
        // Of whatever Prometheus is chosen: none is named.
        var sources = Datasource().Matches(Dashboard.GetRawText()).Select(m => m.Groups[1].Value).ToList();
        Assert.Equal(Sourced().Count(Dashboard.GetRawText()), sources.Count);
        Assert.True(sources.Count >= Panels.Length);
        // What Grafana draws them with; of another name it shows an empty frame.
        Assert.All(Panels, panel => Assert.Contains(Text(panel, "type"), (string[])["stat", "timeseries", "state-timeline"]));
        Assert.All(sources, source => Assert.Equal("${datasource}", source));
    }

    /// <summary>What is chosen on top is asked for of a metric that is exposed, by the labels that all expressions choose by.</summary>
    [Fact]
    public async Task its_variables_offer_what_there_is()
    {
        var variables = Dashboard.GetProperty("templating").GetProperty("list").EnumerateArray().ToDictionary(v => Text(v, "name"));
        Assert.Equal(["datasource", "job", "namespace"], variables.Keys.Order());
        var source = variables["datasource"];
        Assert.Equal(("datasource", "prometheus"), (Text(source, "type"), Text(source, "query")));
        var exposed = await ExposedMetrics.ReadAsync();
        foreach (var name in (string[])["namespace", "job"])
        {
            var variable = variables[name];
            var query = Text(variable.GetProperty("query"), "query");
            Assert.Equal(("query", query), (Text(variable, "type"), Text(variable, "definition")));
            var asked = Offered().Match(query);
            Assert.Contains(asked.Groups[1].Value, exposed.Keys);
            Assert.Equal(name, asked.Groups[3].Value);
            // The second of those of the first.
            Assert.Equal(name == "job" ? "{namespace=~\"$namespace\"}" : "", asked.Groups[2].Value);
        }
    }

    [Fact]
    public void its_marks_are_the_alerts()
    {
        var expression = Text(Assert.Single(Dashboard.GetProperty("annotations").GetProperty("list").EnumerateArray()), "expr");
        var marks = Marks().Match(expression);
        var rules = ComposeFile.RepositoryFile("deploy", "observability", "alerts.yaml");
        var names = AlertName().Matches(rules).Select(m => m.Groups[1].Value).ToList();
        Assert.NotEmpty(names);
        Assert.All(names, name => Assert.Matches($"^(?:{marks.Groups[1].Value})$", name));
    }

    private static string Text(JsonElement element, string name) => element.GetProperty(name).GetString()!;

    private static int Number(JsonElement element, string name) => element.GetProperty(name).GetInt32();

    [GeneratedRegex(@"\bby \(([^)]*)\)")]
    private static partial Regex Grouping();

    [GeneratedRegex(@"[{,]\s*(\w+)\s*(?:!=|=~|!~|=)\s*""")]
    private static partial Regex Matched();

    [GeneratedRegex(@"\{\{(\w+)\}\}")]
    private static partial Regex Shown();

    [GeneratedRegex(@"\{namespace=~""\$namespace"", job=~""\$job""")]
    private static partial Regex Chosen();

    [GeneratedRegex(@"^label_values\((\w+)(\{[^}]*\})?, (\w+)\)$")]
    private static partial Regex Offered();

    // The label and the state are those that Prometheus gives to each alert.
    [GeneratedRegex(
        @"^max by \(alertname\) \(ALERTS\{alertname=~""([^""]+)"", alertstate=""firing"", namespace=~""\$namespace"", job=~""\$job""\}\)$")]
    private static partial Regex Marks();

    [GeneratedRegex(@"- alert: (\w+)")]
    private static partial Regex AlertName();

    [GeneratedRegex(@"""datasource"":\s*\{")]
    private static partial Regex Sourced();

    [GeneratedRegex(@"""prometheus"",\s*""uid"":\s*""([^""]*)""")]
    private static partial Regex Datasource();
}
