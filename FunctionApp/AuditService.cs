using Microsoft.Extensions.Hosting;
using OrdersStream.Hosting.Functions;

namespace OrdersStream.FunctionApp;

/// <summary>
/// The standing audit, for as long as the worker runs: it compares where, and while, this worker is the one that captures.
/// </summary>
internal sealed class AuditService(StreamFunctions halves) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => halves.AuditAsync(stoppingToken);
}
