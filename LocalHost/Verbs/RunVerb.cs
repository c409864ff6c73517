using System.Collections.Immutable;
using System.Net;
using Microsoft.Extensions.Logging;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Hosting.Loops;
using OrdersStream.LocalHost.Terminal;
using OrdersStream.Site.Server;

namespace OrdersStream.LocalHost.Verbs;

/// <summary>What <c>run</c> was asked to do.</summary>
/// <param name="Pipeline">The configuration in force, checked.</param>
/// <param name="Only">The half to run; null: both.</param>
/// <param name="Once">Drain what is there and end, instead of running until the token is cancelled.</param>
/// <param name="StatusPage">Where to serve the status page; null: nowhere.</param>
/// <param name="LogLevel">Least severe line to show.</param>
public sealed record RunOptions(PipelineOptions Pipeline, PipelineHalf? Only, bool Once, IPEndPoint? StatusPage, LogLevel LogLevel);

/// <summary>Runs both halves, or one, against the configured servers.</summary>
public static class RunVerb
{
    /// <summary>
    /// How long the end may take, closing of connections included; platforms kill after ten seconds. What hangs for longer, a disk or
    /// a server, is left as a crash would leave it: the next start goes on from there. A test lengthens it, to see that a wait ends by
    /// itself.
    /// </summary>
    internal static TimeSpan StopTimeout { get; set; } = TimeSpan.FromSeconds(7);

    /// <returns>0 after a clean end, cancellation included; 1 when a half stopped by a failure.</returns>
    public static async Task<int> ExecuteAsync(RunOptions options, CancellationToken cancellationToken)
    {
        var log = LineLogger.ToConsole(options.LogLevel, TimeProvider.System);
        using var gracePeriod = new GracePeriod(cancellationToken, StopTimeout);
        var run = Task.Run(() => RunAsync(options, log, cancellationToken), CancellationToken.None);
        try
        {
            return await run.WaitAsync(gracePeriod.Token);
        }
        catch (OperationCanceledException) when (!run.IsCompleted)
        {
            log.Stopping("something hangs; it is left as it is, and the next start goes on from there");
            return ExitCode.Ok;
        }
    }

    private static async Task<int> RunAsync(RunOptions options, LineLogger log, CancellationToken cancellationToken)
    {
        ImmutableArray<string> halves = options.Only is { } half ? [half.ToString()] : LocalStream.BothHalves;
        await using var stream = LocalStream.Open(options.Pipeline, log, halves);
        using var site = new StreamSite(stream);
        await using var exposed = options.StatusPage is { } address
            ? await ServeAsync(site, stream.Logger, address, cancellationToken)
            : site.PushMetrics();
        stream.Logger.Running(options.Pipeline.Postgres.Table, options.Pipeline.Kafka.Topic, options.Pipeline.Datalake.Path);
        var run = new PipelineRun(stream);
        try
        {
            if (options.Once)
            {
                var captured = await run.OnceAsync(options.Only, cancellationToken);
                stream.Logger.Stopping(captured ? "all that was there is done" : "another instance captures the table");
                return ExitCode.Ok;
            }
            await run.UntilStoppedAsync(options.Only, null, cancellationToken, cancellationToken);
            stream.Logger.Stopping("asked to");
            return ExitCode.Ok;
        }
        catch (HalfStoppedException e)
        {
            stream.Logger.HalfStopped(e.Half, e.Problem, e.Remedy, e.InnerException!);
            return ExitCode.Failure;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            stream.Logger.Stopping("asked to");
            return ExitCode.Ok;
        }
    }

    private static async Task<IAsyncDisposable> ServeAsync(
        StreamSite site, ILogger logger, IPEndPoint address, CancellationToken cancellationToken)
    {
        var server = await site.ServeAsync(address, cancellationToken);
        logger.StatusPageServed(server.Address);
        if (!IPAddress.IsLoopback(address.Address)) logger.StatusPageIsOpen(address.ToString());
        return server;
    }
}
