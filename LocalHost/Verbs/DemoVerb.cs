using Microsoft.Extensions.Logging;
using OrdersStream.Diagnostics;
using OrdersStream.LocalHost.CommandLine;
using OrdersStream.LocalHost.Demo;
using OrdersStream.LocalHost.Embedded;
using OrdersStream.LocalHost.Loops;

namespace OrdersStream.LocalHost.Verbs;

/// <summary>What the demonstration was asked to do.</summary>
/// <param name="Seconds">How long orders are played.</param>
/// <param name="Rate">New orders a second.</param>
/// <param name="Directory">Where lake and state are kept; null: datalake/demo, which git ignores.</param>
/// <param name="HasPage">Serve the status page.</param>
/// <param name="LogLevel">Least severe line to show.</param>
public sealed record DemoOptions(int Seconds, int Rate, string? Directory, bool HasPage, LogLevel LogLevel);

/// <summary>The whole pipeline on a private Postgres and an in-process Kafka.</summary>
public static class DemoVerb
{
    /// <returns>0 when the lake equals the table at the end, or the token was cancelled; 1 when they differ or a part failed.</returns>
    public static async Task<int> ExecuteAsync(DemoOptions options, CancellationToken cancellationToken)
    {
        try
        {
            return await new Demonstration(options, TimeProvider.System).RunAsync(cancellationToken) ? ExitCode.Ok : ExitCode.Failure;
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
            await Console.Error.WriteLineAsync($"{e.Half} stopped: {e.Verdict.Problem}\n{e.Verdict.Remedy}");
            if (e.Verdict.IsDefect) await Console.Error.WriteLineAsync(FailurePolicy.TraceOf(e));
            return ExitCode.Failure;
        }
    }
}
