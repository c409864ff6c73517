using Microsoft.Extensions.Logging;
using OrdersStream.Demo;
using OrdersStream.Demo.Servers;
using OrdersStream.Diagnostics;
using OrdersStream.LocalHost.Terminal;

namespace OrdersStream.LocalHost.Verbs;

/// <summary>What the demonstration was asked to do.</summary>
/// <param name="Demonstration">What it is to play.</param>
/// <param name="LogLevel">Least severe line to show.</param>
public sealed record DemoVerbOptions(DemoOptions Demonstration, LogLevel LogLevel);

/// <summary>The whole pipeline on a private Postgres and an in-process Kafka.</summary>
public static class DemoVerb
{
    /// <returns>0 when the lake equals the table at the end, or the token was cancelled; 1 when they differ or a part failed.</returns>
    public static async Task<int> ExecuteAsync(DemoVerbOptions options, CancellationToken cancellationToken)
    {
        try
        {
            var time = TimeProvider.System;
            var demonstration = new Demonstration(
                options.Demonstration, time, note => new LineLogger(options.LogLevel, time, note, colours: false),
                LineLogger.TerminalTakesColours, KeyPress.AtTerminal(time));
            return await demonstration.RunAsync(cancellationToken) ? ExitCode.Ok : ExitCode.Failure;
        }
        catch (Exception) when (cancellationToken.IsCancellationRequested)
        {
            // Whatever broke off, it was asked to; servers and processes are gone by now.
            Console.WriteLine("Stopped.");
            return ExitCode.Ok;
        }
        catch (LocalPostgresException e)
        {
            await Console.Error.WriteLineAsync($"{e.Problem}\n{e.Remedy}");
            return ExitCode.Failure;
        }
        catch (HalfStoppedException e)
        {
            await Console.Error.WriteLineAsync($"{e.Half} stopped: {e.Problem}\n{e.Remedy}");
            if (e.Verdict.IsDefect) await Console.Error.WriteLineAsync(FailurePolicy.TraceOf(e));
            return ExitCode.Failure;
        }
    }
}
