using Microsoft.Extensions.Hosting;
using OrdersStream.Hosting.Functions;

namespace OrdersStream.FunctionApp;

/// <summary>Ends the worker when nobody calls it any more.</summary>
internal sealed class WatchdogService(Watchdog watchdog) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken) =>
        Program.End(await watchdog.WatchAsync(stoppingToken));
}
