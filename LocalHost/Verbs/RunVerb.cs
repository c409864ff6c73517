using System.Collections.Immutable;
using System.Net;
using Microsoft.Extensions.Logging;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Hosting;
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

    /// <summary>How long a server may take to say what is left of a drain that was broken off.</summary>
    private static readonly TimeSpan LeftTimeout = TimeSpan.FromSeconds(1);

    /// <returns>
    /// 0 after a clean end, cancellation included unless it was to do all there is; 1 when a half stopped by a failure; 3 when not all was
    /// done that was to be, though nothing failed, or something hung at the end.
    /// </returns>
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
            return ExitCode.NotAllDone;
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
                return await EndedAsync(await run.OnceAsync(options.Only, cancellationToken), stream);
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
            return Asked(options);
        }
    }

    /// <summary>Who was told to end has done what it should, unless that was to do all there is (invariant 11).</summary>
    private static int Asked(RunOptions options) => options.Once ? ExitCode.NotAllDone : ExitCode.Ok;

    private static async Task<int> EndedAsync(DrainEnd end, PipelineStream stream)
    {
        stream.Logger.Stopping(end switch
        {
            DrainEnd.BrokenOff => "asked to, before all was done: "
                + StatusText.Left(await stream.Status.ReadAsync(LeftTimeout, CancellationToken.None)),
            DrainEnd.HeldBack => "committed rows are still held back by a transaction that does not end; all else that was there is done",
            DrainEnd.StoodBy => "another instance captures the table; what it has not published yet is left to it",
            DrainEnd.PageUnfinished => "records wait for the rest of a page, which nobody has sent; all else that was there is done",
            DrainEnd.EndHidden => "a transaction that does not end hides what lies behind it in the topic; all else that was there is done",
            _ => "all that was there is done",
        });
        return end == DrainEnd.Done ? ExitCode.Ok : ExitCode.NotAllDone;
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
