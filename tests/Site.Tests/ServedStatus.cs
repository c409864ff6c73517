using System.Net;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Doctor;
using OrdersStream.Site.Server;
using OrdersStream.Status;

namespace OrdersStream.Site.Tests;

/// <summary>The real server and page, fed with a status that the test makes up.</summary>
public sealed class ServedStatus : IAsyncDisposable
{
    private readonly PipelineMetrics metrics = new(new PipelineOptions());
    private readonly MetricsExport export;
    private readonly StatusSite site;
    private StatusServer? server;

    private ServedStatus(Func<PipelineStatus> status)
    {
        Status = status;
        export = new MetricsExport();
        site = new StatusSite(
            _ => Task.FromResult(Status()), () => [], new StatusGauges(metrics, TimeProvider.System), export, TimeProvider.System, History,
            _ => Task.FromResult(Report));
    }

    public Func<PipelineStatus> Status { get; set; }

    /// <summary>What a check finds.</summary>
    public CheckReport Report { get; set; } = new(DateTimeOffset.UnixEpoch, "s", []);

    /// <summary>Of the last day.</summary>
    public FlowHistory History { get; } = new();

    public Uri Address { get; private set; } = null!;

    public static async Task<ServedStatus> StartAsync(Func<PipelineStatus> status)
    {
        var served = new ServedStatus(status);
        await served.StartAsync(new IPEndPoint(IPAddress.Loopback, 0));
        return served;
    }

    public async Task StopAsync()
    {
        await server!.DisposeAsync();
        server = null;
    }

    /// <summary>At the same address as before.</summary>
    public Task StartAgainAsync() => StartAsync(new IPEndPoint(IPAddress.Loopback, Address.Port));

    public async ValueTask DisposeAsync()
    {
        if (server is not null) await server.DisposeAsync();
        site.Dispose();
        export.Dispose();
        metrics.Dispose();
    }

    /// <summary>A further server of the same page.</summary>
    public Task<StatusServer> StartAtAsync(IPEndPoint address) =>
        StatusServer.StartAsync(
            address, site, new StatusSampler(site, new FlowHistory(), TimeProvider.System), TimeProvider.System,
            TestContext.Current.CancellationToken);

    private async Task StartAsync(IPEndPoint address)
    {
        server = await StartAtAsync(address);
        Address = server.Address;
    }
}
