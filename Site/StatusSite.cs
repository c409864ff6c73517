using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Text;
using OrdersStream.Diagnostics;
using OrdersStream.Doctor;
using OrdersStream.Hosting;
using OrdersStream.Status;

namespace OrdersStream.Site;

/// <summary>One answer, for a host to copy over.</summary>
/// <param name="Status">HTTP status code.</param>
/// <param name="ContentType">With its charset.</param>
/// <param name="Body">Empty for HEAD.</param>
/// <param name="Headers">All others.</param>
public sealed record StatusAnswer(
    int Status, string ContentType, ReadOnlyMemory<byte> Body, IReadOnlyList<KeyValuePair<string, string>> Headers);

/// <summary>
/// The status page, the status document, probes and the metrics, for any host: it knows paths and answers, and no web server. It only
/// reads. However many ask at once, one reading of the servers answers them all.
/// </summary>
public sealed class StatusSite : IDisposable
{
    /// <summary>200 while the loops of this process turn, and while what they need is within reach; else 503, and which is not.</summary>
    internal const string Live = "/livez", Ready = "/readyz";

    /// <summary>Rates and lags of the last day, a sample a minute: too much for a document that is asked for every two seconds.</summary>
    private const string Day = "/api/history";

    /// <summary>What may go wrong, and what to do about it.</summary>
    private const string Rows = "/api/runbook";

    /// <summary>What <c>check</c> finds: it asks servers and tries folders, so seldom.</summary>
    private const string Check = "/api/check";

    private static readonly TimeSpan CacheTime = TimeSpan.FromSeconds(1), CheckCacheTime = TimeSpan.FromMinutes(5);

    /// <summary>Nothing from elsewhere, nothing inline: a text with markup in it could do nothing even if it got there.</summary>
    private const string Policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    private static readonly FrozenDictionary<string, Asset> Assets = new Dictionary<string, Asset>
    {
        ["/"] = new("index.html", "text/html; charset=utf-8"),
        ["/status.css"] = new("status.css", "text/css; charset=utf-8"),
        ["/status.js"] = new("status.js", "text/javascript; charset=utf-8"),
        ["/charts.js"] = new("charts.js", "text/javascript; charset=utf-8"),
        ["/words.js"] = new("words.js", "text/javascript; charset=utf-8"),
        ["/icon.svg"] = new("icon.svg", "image/svg+xml"),
        ["/runbook"] = new("runbook.html", "text/html; charset=utf-8"),
        ["/runbook.js"] = new("runbook.js", "text/javascript; charset=utf-8"),
    }.ToFrozenDictionary();

    private readonly Func<CancellationToken, Task<PipelineStatus>> read;
    private readonly StatusGauges gauges;
    private readonly Func<IEnumerable<string>> hanging;
    private readonly FlowHistory history;
    private readonly MetricsExport export;
    private readonly CancellationTokenSource lifetime = new();
    private readonly SharedReading<CachedStatus> status;
    private readonly SharedReading<byte[]> check;

    public StatusSite(PipelineStream stream, MetricsExport export)
        : this(
            stream.Status.ReadAsync, stream.Hanging, stream.Gauges, export, stream.Process.Time, stream.History,
            token => stream.CheckAsync(hostFile: null, token))
    {
    }

    internal StatusSite(
        Func<CancellationToken, Task<PipelineStatus>> read, Func<IEnumerable<string>> hanging, StatusGauges gauges, MetricsExport export,
        TimeProvider time, FlowHistory? history = null, Func<CancellationToken, Task<CheckReport>>? look = null)
    {
        (this.read, this.hanging, this.gauges, this.export) = (read, hanging, gauges, export);
        this.history = history ?? new FlowHistory();
        status = new(ReadAsync, CacheTime, time);
        check = new(
            async () => CheckDocument.ToJson(look is null ? new(time.GetUtcNow(), "", []) : await look(lifetime.Token)), CheckCacheTime,
            time);
    }

    /// <param name="method">GET or HEAD; others are refused.</param>
    /// <param name="path">From the root, without a query.</param>
    /// <param name="cancellationToken">Ends the waiting for this answer; a reading that others wait for goes on.</param>
    public async Task<StatusAnswer> AnswerAsync(string method, string path, CancellationToken cancellationToken)
    {
        if (!IsKnown(path)) return Plain(404, "Nothing is here. The page is at /.");
        if (method is not ("GET" or "HEAD"))
            return Plain(405, "This page only shows: GET and HEAD.", KeyValuePair.Create("Allow", "GET, HEAD"));
        var answer = await AnswerAsync(path, cancellationToken);
        return method == "HEAD" ? answer with { Body = default } : answer;
    }

    /// <summary>Reads everything now, as a request for the document does.</summary>
    public async Task RefreshAsync(CancellationToken cancellationToken) => await status.GetAsync(cancellationToken);

    public void Dispose()
    {
        lifetime.Cancel();
        lifetime.Dispose();
    }

    private static bool IsKnown(string path) =>
        path is "/api/status" or Day or Rows or Check or "/metrics" or Live or Ready || Assets.ContainsKey(path);

    private async Task<StatusAnswer> AnswerAsync(string path, CancellationToken cancellationToken)
    {
        // Asks nobody: whoever kills by it must not do so because a server is away.
        if (path == Live) return Probe("", hanging());
        if (Assets.TryGetValue(path, out var asset)) return new(200, asset.ContentType, asset.Bytes.Value, Headers("no-cache"));
        if (path == Rows) return new(200, "application/json; charset=utf-8", Runbook.Document, Headers("no-cache"));
        if (path == Day) return new(200, "application/json; charset=utf-8", StatusDocument.ToJson(history.ReadDay()), Headers("no-store"));
        try
        {
            if (path == Check)
                return new(200, "application/json; charset=utf-8", await check.GetAsync(cancellationToken), Headers("no-store"));
            // The gauges, too, tell what is now, not what was when somebody last asked.
            var now = await status.GetAsync(cancellationToken);
            if (path == Ready) return Probe("Out of reach: ", now.OutOfReach);
            if (path == "/api/status") return new(200, "application/json; charset=utf-8", now.Document, Headers("no-store"));
            var (type, text) = await export.ScrapeAsync(cancellationToken);
            return new(200, type, text, Headers("no-store"));
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            return Plain(500, $"The status cannot be read. {FailurePolicy.Judge(e).Problem}");
        }
    }

    private async Task<CachedStatus> ReadAsync()
    {
        var read = await this.read(lifetime.Token);
        gauges.Record(read);
        return new CachedStatus(StatusDocument.ToJson(read), [.. read.OutOfReach()]);
    }

    private static StatusAnswer Probe(string heading, IEnumerable<string> wrong)
    {
        var found = string.Join(", ", wrong);
        return found == "" ? Plain(200, "ok") : Plain(503, heading + found);
    }

    private static StatusAnswer Plain(int status, string text, params ReadOnlySpan<KeyValuePair<string, string>> more) =>
        new(status, "text/plain; charset=utf-8", Encoding.UTF8.GetBytes(text + "\n"), [.. Headers("no-store"), .. more]);

    private static KeyValuePair<string, string>[] Headers(string cacheControl) =>
    [
        new("Content-Security-Policy", Policy),
        new("X-Content-Type-Options", "nosniff"),
        new("Referrer-Policy", "no-referrer"),
        new("Cross-Origin-Resource-Policy", "same-origin"),
        new("Cache-Control", cacheControl),
    ];

    private sealed record CachedStatus(byte[] Document, ImmutableArray<string> OutOfReach);

    private sealed record Asset(string Name, string ContentType)
    {
        public Lazy<byte[]> Bytes { get; } = new(() => Read(Name));

        private static byte[] Read(string name)
        {
            using var stream = typeof(StatusSite).Assembly.GetManifestResourceStream($"StatusPage/{name}")
                ?? throw new InvalidOperationException($"The status page lacks its part {name}.");
            var bytes = new byte[stream.Length];
            stream.ReadExactly(bytes);
            return bytes;
        }
    }
}
