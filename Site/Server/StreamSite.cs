using System.Net;
using OrdersStream.Diagnostics;
using OrdersStream.Hosting;

namespace OrdersStream.Site.Server;

/// <summary>
/// All that shows a stream to the outside, for a host with a process of its own: status page, document, metrics. To be asked for before
/// the halves begin: what they do is counted from then on.
/// </summary>
public sealed class StreamSite(PipelineStream stream) : IDisposable
{
    private MetricsExport? export;
    private StatusSite? answers;

    /// <summary>The answers to every request.</summary>
    public StatusSite Answers => answers ??= new StatusSite(stream, export ??= new MetricsExport());

    /// <summary>Serves the status page.</summary>
    /// <exception cref="PipelineException">The address cannot be taken.</exception>
    public Task<StatusServer> ServeAsync(IPEndPoint address, CancellationToken cancellationToken) =>
        StatusServer.StartAsync(address, Answers, NewSampler(), stream.Process.Time, cancellationToken);

    /// <summary>Pushes the metrics where the environment asks for it, with the lags among them: for a run without a status page.</summary>
    public IAsyncDisposable? PushMetrics() => MetricsExport.IsPushed ? NewSampler().Start() : null;

    public void Dispose()
    {
        answers?.Dispose();
        export?.Dispose();
    }

    private StatusSampler NewSampler() => new(Answers, stream.History, stream.Process.Time, stream.HistoryFile);
}
