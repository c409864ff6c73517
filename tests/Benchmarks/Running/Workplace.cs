using OrdersStream.Benchmarks.Measuring;
using OrdersStream.Configuration;
using OrdersStream.TestKit;

namespace OrdersStream.Benchmarks.Running;

/// <summary>
/// What every command needs: servers, the published LocalHost, a folder. All of it is gone afterwards, whatever happened.
/// </summary>
internal sealed class Workplace : IAsyncDisposable
{
    private readonly TestFolder folder;

    private Workplace(TestFolder folder, Servers servers, PublishedHost host, Progress progress) =>
        (this.folder, Servers, Host, Progress) = (folder, servers, host, progress);

    public Servers Servers { get; }
    public PublishedHost Host { get; }
    public Progress Progress { get; }
    public string Folder => folder.Path;

    /// <summary>
    /// One command from its beginning to its report: servers, an empty orders table, what is measured there, the figures.
    /// </summary>
    /// <param name="command">As it was given.</param>
    /// <param name="jsonFile">Where the figures are wanted as one document, too.</param>
    /// <param name="measureAsync">Fills the table, measures, and puts the figures into the report.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static async Task<int> ReportAsync(
        string command, string? jsonFile, Func<Workplace, OrdersSource, Report, Task> measureAsync, CancellationToken cancellationToken)
    {
        var report = new Report(command, TimeProvider.System.GetUtcNow());
        await using var place = await OpenAsync(cancellationToken);
        await using var source = await OrdersSource.CreateAsync(place.Servers, cancellationToken);
        await measureAsync(place, source, report);
        await report.WriteAsync(jsonFile, cancellationToken);
        return 0;
    }

    private static async Task<Workplace> OpenAsync(CancellationToken cancellationToken)
    {
        if (!OperatingSystem.IsLinux()) throw new BenchmarkException("processor time and memory are read from /proc: this needs Linux");
        var progress = new Progress();
        var folder = new TestFolder("bench");
        try
        {
            var host = await PublishedHost.PublishAsync(progress, cancellationToken);
            return new(folder, await Servers.StartAsync(progress), host, progress);
        }
        catch
        {
            folder.Dispose();
            throw;
        }
    }

    public BenchmarkStream NewStream(
        OrdersSource source, string table = OrdersSource.Table, Func<PipelineOptions, PipelineOptions>? configure = null) =>
        new(Servers, source.Reader, table, Folder, configure);

    public async ValueTask DisposeAsync()
    {
        await Servers.DisposeAsync();
        folder.Dispose();
    }
}
