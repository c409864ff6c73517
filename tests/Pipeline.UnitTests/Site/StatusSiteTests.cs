using System.Text;
using System.Text.Json;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Doctor;
using OrdersStream.Site;
using OrdersStream.Status;
using OrdersStream.UnitTests.Stack;

namespace OrdersStream.UnitTests.Site;

public sealed class StatusSiteTests : IDisposable
{
    private static readonly DateTimeOffset At = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly TestTime time = new();
    private readonly PipelineMetrics metrics = new(new PipelineOptions());
    private readonly MetricsExport export;
    private readonly StatusSite site;
    private Func<CancellationToken, Task<PipelineStatus>> read = _ => Task.FromResult(Sample());
    private IEnumerable<string> hanging = [];
    private int readings, looks;

    public StatusSiteTests()
    {
        export = new MetricsExport();
        site = new StatusSite(
            token =>
            {
                Interlocked.Increment(ref readings);
                return read(token);
            },
            () => hanging, new StatusGauges(metrics, time), export, time, look: _ =>
            {
                Interlocked.Increment(ref looks);
                return Task.FromResult(new CheckReport(time.GetUtcNow(), "s", []));
            });
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        site.Dispose();
        export.Dispose();
        metrics.Dispose();
    }

    [Theory]
    [InlineData("/", "text/html; charset=utf-8")]
    [InlineData("/status.css", "text/css; charset=utf-8")]
    [InlineData("/status.js", "text/javascript; charset=utf-8")]
    [InlineData("/charts.js", "text/javascript; charset=utf-8")]
    [InlineData("/words.js", "text/javascript; charset=utf-8")]
    [InlineData("/runbook", "text/html; charset=utf-8")]
    [InlineData("/runbook.js", "text/javascript; charset=utf-8")]
    [InlineData("/icon.svg", "image/svg+xml")]
    [InlineData("/api/runbook", "application/json; charset=utf-8")]
    [InlineData("/api/history", "application/json; charset=utf-8")]
    [InlineData("/api/status", "application/json; charset=utf-8")]
    [InlineData("/api/check", "application/json; charset=utf-8")]
    [InlineData("/metrics", "text/plain; version=0.0.4; charset=utf-8")]
    public async Task each_path_has_its_type_and_nothing_inline_may_run(string path, string type)
    {
        var answer = await GetAsync(path);
        Assert.Equal((200, type), (answer.Status, answer.ContentType));
        Assert.False(answer.Body.IsEmpty);
        var policy = Header(answer, "Content-Security-Policy");
        Assert.StartsWith("default-src 'none'; script-src 'self'; style-src 'self';", policy);
        Assert.DoesNotContain("unsafe", policy);
        Assert.Equal(("nosniff", "no-referrer"), (Header(answer, "X-Content-Type-Options"), Header(answer, "Referrer-Policy")));
        Assert.Equal(
            path is "/api/status" or "/api/history" or "/api/check" or "/metrics" ? "no-store" : "no-cache",
            Header(answer, "Cache-Control"));
    }

    [Theory]
    [InlineData("/favicon.ico")]
    [InlineData("/status.JS")]
    [InlineData("/api/status/")]
    [InlineData("/../Pipeline.csproj")]
    [InlineData("")]
    public async Task other_paths_are_not_found(string path) => Assert.Equal(404, (await GetAsync(path)).Status);

    [Theory]
    [InlineData("POST")]
    [InlineData("DELETE")]
    [InlineData("get")]
    public async Task it_only_shows(string method)
    {
        var answer = await site.AnswerAsync(method, "/api/status", Token);
        Assert.Equal((405, "GET, HEAD", 0), (answer.Status, Header(answer, "Allow"), readings));
    }

    [Fact]
    public async Task head_is_get_without_a_body()
    {
        var answer = await site.AnswerAsync("HEAD", "/", Token);
        Assert.Equal((200, "text/html; charset=utf-8", true), (answer.Status, answer.ContentType, answer.Body.IsEmpty));
    }

    [Fact]
    public async Task many_viewers_cost_one_reading_at_a_time()
    {
        var slow = new TaskCompletionSource<PipelineStatus>();
        read = _ => slow.Task;
        var asking = Enumerable.Range(0, 50).Select(i => GetAsync(i % 10 == 0 ? "/metrics" : "/api/status")).ToList();
        slow.SetResult(Sample());
        await Task.WhenAll(asking);
        Assert.Equal(1, readings);

        time.Advance(TimeSpan.FromMilliseconds(900));
        await GetAsync("/api/status");
        Assert.Equal(1, readings);
        time.Advance(TimeSpan.FromMilliseconds(200));
        await GetAsync("/api/status");
        Assert.Equal(2, readings);
    }

    /// <summary>It asks the servers and tries the folders: nobody who asks again and again is a burden to them.</summary>
    [Fact]
    public async Task a_check_is_run_where_it_is_asked_for_and_minutes_apart()
    {
        await GetAsync("/api/status");
        Assert.Equal(0, looks);
        await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => GetAsync("/api/check")));
        time.Advance(TimeSpan.FromMinutes(4));
        Assert.Contains("\"verdict\": \"ready\"", Text(await GetAsync("/api/check")));
        Assert.Equal(1, looks);
        time.Advance(TimeSpan.FromMinutes(2));
        await GetAsync("/api/check");
        Assert.Equal(2, looks);
    }

    [Fact]
    public async Task a_viewer_who_leaves_does_not_end_the_reading_of_another()
    {
        var slow = new TaskCompletionSource<PipelineStatus>();
        read = token => slow.Task.WaitAsync(token);
        using var leaves = new CancellationTokenSource();
        var gone = site.AnswerAsync("GET", "/api/status", leaves.Token);
        var stays = GetAsync("/api/status");
        await leaves.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => gone);
        slow.SetResult(Sample());
        Assert.Equal((200, 1), ((await stays).Status, readings));
    }

    [Fact]
    public async Task a_reading_that_fails_is_reported_without_detail_and_tried_anew()
    {
        read = _ => throw new InvalidOperationException("customer Asha");
        var answer = await GetAsync("/api/status");
        Assert.Equal(500, answer.Status);
        Assert.DoesNotContain("Asha", Text(answer));
        read = _ => Task.FromResult(Sample());
        Assert.Equal(200, (await GetAsync("/api/status")).Status);
    }

    [Fact]
    public async Task who_hangs_is_not_live_and_nobody_is_asked_for_that()
    {
        Assert.Equal(200, (await GetAsync(StatusSite.Live)).Status);
        hanging = ["KafkaToLake has not come round for 1000 s."];
        var answer = await GetAsync(StatusSite.Live);
        Assert.Equal((503, "KafkaToLake has not come round for 1000 s.\n"), (answer.Status, Text(answer)));
        Assert.Equal(0, readings);
    }

    [Theory]
    [InlineData("PostgresToKafka", false, true, true, "Out of reach: Postgres\n")]
    [InlineData("PostgresToKafka", true, true, false, "ok\n")]
    [InlineData("KafkaToLake", false, true, true, "ok\n")]
    [InlineData("KafkaToLake", true, false, false, "Out of reach: Kafka, the lake\n")]
    public async Task who_cannot_reach_what_its_half_needs_is_not_ready(
        string half, bool postgres, bool kafka, bool lake, string says)
    {
        var sample = Sample();
        read = _ => Task.FromResult(sample with
        {
            Process = sample.Process with { Halves = [half] },
            Source = sample.Source with { Reachable = postgres },
            Topic = sample.Topic with { Reachable = kafka },
            Lake = sample.Lake with { Reachable = lake },
        });
        var answer = await GetAsync(StatusSite.Ready);
        Assert.Equal((says == "ok\n" ? 200 : 503, says), (answer.Status, Text(answer)));
    }

    [Fact]
    public async Task markup_in_names_and_errors_stays_text()
    {
        var text = Text(await GetAsync("/api/status"));
        Assert.DoesNotContain('<', text);
        Assert.Contains("\\u003Cimg src=x onerror=alert(1)\\u003E", text);
    }

    [Fact]
    public async Task the_gauges_tell_what_is_seen_now()
    {
        var text = Text(await GetAsync("/metrics"));
        Assert.Matches(@"orders_stream_up\{[^}]*part=""kafka""[^}]*\} 0\s", text);
        Assert.Matches(@"orders_stream_up\{[^}]*part=""postgres""[^}]*\} 1\s", text);
        Assert.Matches(@"orders_stream_capture_lag_seconds\{[^}]*\} 2\.5\s", text);
        Assert.Matches(@"orders_stream_lake_lag\{[^}]*messaging_destination_partition_id=""3""[^}]*\} 7\s", text);
    }

    /// <summary>Each row of the document, as a problem's own words lead to it.</summary>
    [Fact]
    public async Task the_runbook_has_every_row_of_the_document()
    {
        using var rows = JsonDocument.Parse((await GetAsync("/api/runbook")).Body);
        var table = ComposeFile.RepositoryFile("docs", "operations.md").Split('\n').SkipWhile(l => l != "## What can page someone").Skip(3)
            .TakeWhile(l => l.StartsWith('|')).ToList();
        Assert.Equal(table.Count, rows.RootElement.GetArrayLength());
        var read = rows.RootElement.EnumerateArray().ToList();
        Assert.Equal(read.Count, read.Select(r => r.GetProperty("id").GetString()).Distinct().Count());
        Assert.All(read, row =>
        {
            Assert.Matches("^[a-z0-9-]+$", row.GetProperty("id").GetString());
            Assert.NotEqual(0, row.GetProperty("says").GetArrayLength());
            foreach (var name in new[] { "meaning", "safe", "remedy" }) Assert.NotEqual("", row.GetProperty(name).GetString());
            Assert.NotEqual("as above", row.GetProperty("safe").GetString());
        });
    }

    [Fact]
    public async Task the_page_has_no_inline_code_and_asks_nobody_else()
    {
        var page = Text(await GetAsync("/"));
        Assert.DoesNotMatch("""(?i)<script(?![^>]*\ssrc=)|<style|\son\w+=|\sstyle=|javascript:""", page);
        var references = System.Text.RegularExpressions.Regex.Matches(page, "(?:src|href)=\"([^\"#][^\"]*)\"");
        var parts = references.Select(m => m.Groups[1].Value).ToList();
        Assert.Contains("status.js", parts);
        foreach (var part in parts) Assert.Equal(200, (await GetAsync("/" + part)).Status);
        foreach (var path in new[]
        {
            "/", "/runbook", "/status.css", "/status.js", "/charts.js", "/runbook.js", "/words.js", "/icon.svg",
        })
        {
            var text = Text(await GetAsync(path)).Replace("http://www.w3.org/2000/svg", "", StringComparison.Ordinal);
            Assert.DoesNotMatch("(?i)https?:|@import|url\\(", text);
            Assert.DoesNotMatch("innerHTML|outerHTML|insertAdjacentHTML|document\\.write|DOMParser|\\beval\\b|new Function", text);
        }
    }

    private Task<StatusAnswer> GetAsync(string path) => site.AnswerAsync("GET", path, Token);

    private static string Text(StatusAnswer answer) => Encoding.UTF8.GetString(answer.Body.Span);

    private static string? Header(StatusAnswer answer, string name) => answer.Headers.SingleOrDefault(h => h.Key == name).Value;

    private static PipelineStatus Sample() => new()
    {
        At = At,
        Process = new("LocalHost", At, ["PostgresToKafka"]),
        Source = new("public.<img src=x onerror=alert(1)>", "localhost:5432/db", Reachable: true, Version: "15.1"),
        Topic = new("orders", "localhost:9092", Reachable: false),
        Lake = new("lake", Reachable: true, NewestFiles: [], QuarantineCauses: []),
        Capture = new(1, 10, At.UtcDateTime, null, null, 2.5),
        Partitions = [new(3, 0, 17, 10, 7, 8, 0, 1, At)],
        Flow = new("requests", At, null, null, []),
        Findings = [new("topic", "</script><script>alert(1)</script>", "")],
    };
}
