using System.Runtime.ExceptionServices;
using Grpc.Core;
using Microsoft.Extensions.Hosting;
using OrdersStream.Hosting.Functions;

namespace OrdersStream.FunctionApp;

/// <summary>
/// Ends the worker when nobody calls it any more. What reads from the host ends with its first failure, which nobody awaits: it is seen
/// where it is thrown.
/// </summary>
internal sealed class WatchdogService(Watchdog watchdog) : BackgroundService
{
    /// <summary>Comes after the connection to the host: attempts at that which failed do no harm.</summary>
    public override Task StartAsync(CancellationToken cancellationToken)
    {
        AppDomain.CurrentDomain.FirstChanceException += Thrown;
        return base.StartAsync(cancellationToken);
    }

    /// <summary>And before its end.</summary>
    public override Task StopAsync(CancellationToken cancellationToken)
    {
        AppDomain.CurrentDomain.FirstChanceException -= Thrown;
        return base.StopAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken) =>
        Program.End(await watchdog.WatchAsync(stoppingToken));

    private void Thrown(object? sender, FirstChanceExceptionEventArgs e)
    {
        if (e.Exception is RpcException) watchdog.ConnectionBroke();
        else if (e.Exception is OutOfMemoryException) watchdog.MemoryRanOut();
    }
}
