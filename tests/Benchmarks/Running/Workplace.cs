using OrdersStream.Benchmarks.Measuring;

namespace OrdersStream.Benchmarks.Running;

/// <summary>What every command needs: servers, the published LocalHost, a folder. All of it is gone afterwards, whatever happened.</summary>
internal sealed class Workplace : IAsyncDisposable
{
    private readonly DirectoryInfo folder;

    private Workplace(DirectoryInfo folder, Servers servers, PublishedHost host, Progress progress) =>
        (this.folder, Servers, Host, Progress) = (folder, servers, host, progress);

    public Servers Servers { get; }
    public PublishedHost Host { get; }
    public Progress Progress { get; }
    public string Folder => folder.FullName;

    public static async Task<Workplace> OpenAsync(CancellationToken cancellationToken)
    {
        if (!OperatingSystem.IsLinux()) throw new BenchmarkException("processor time and memory are read from /proc: this needs Linux");
        var progress = new Progress();
        var folder = Directory.CreateTempSubdirectory("orders-stream-bench-");
        try
        {
            var host = await PublishedHost.PublishAsync(folder.FullName, progress, cancellationToken);
            return new(folder, await Servers.StartAsync(progress), host, progress);
        }
        catch
        {
            folder.Delete(recursive: true);
            throw;
        }
    }

    public BenchmarkStream NewStream(OrdersSource source, string table = OrdersSource.Table) => new(Servers, source.Reader, table, Folder);

    public async ValueTask DisposeAsync()
    {
        await Servers.DisposeAsync();
        folder.Delete(recursive: true);
    }
}
