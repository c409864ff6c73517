using System.CommandLine;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.LocalHost.Terminal;

namespace OrdersStream.LocalHost.CommandLine;

/// <summary>Runs one command line and turns whatever becomes of it into an exit code and lines on stderr.</summary>
internal static class Invocation
{
    public static async Task<int> RunAsync(string[] args, CancellationToken cancellationToken)
    {
        // No response files: an argument that begins with @ is one, not the name of a file with more.
        var arguments = Commands.Root().Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (arguments.Errors.Count > 0)
            return await ReportAsync(ExitCode.BadUsage, [.. UsageErrors.Of(arguments), "--help shows what can be asked for"]);
        try
        {
            // Signals come by our own token, and exceptions are told apart below.
            var settings = new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null };
            return await arguments.InvokeAsync(settings, cancellationToken);
        }
        catch (ConfigurationException e)
        {
            return await ReportAsync(ExitCode.BadUsage, e.Faults.Select(f => f.ToString()));
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return await ReportAsync(Commands.ExitCodeOfFailure(arguments), ["stopped before the end"]);
        }
        catch (Exception e)
        {
            var verdict = FailurePolicy.Judge(e);
            IEnumerable<string> trace = verdict.IsDefect ? [FailurePolicy.TraceOf(e)] : [];
            return await ReportAsync(Commands.ExitCodeOfFailure(arguments), [verdict.Problem, verdict.Check, .. trace]);
        }
    }

    private static async Task<int> ReportAsync(int exitCode, IEnumerable<string> lines)
    {
        foreach (var line in lines) await Console.Error.WriteLineAsync(line);
        return exitCode;
    }
}
