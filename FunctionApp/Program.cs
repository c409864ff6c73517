using Microsoft.Azure.Functions.Worker.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Hosting.Functions;
using OrdersStream.Site;

namespace OrdersStream.FunctionApp;

/// <summary>The worker process: everything is checked before it tells the Functions host of any function.</summary>
internal static class Program
{
    private const int Failed = 1, BadConfiguration = 2;

    /// <summary>Where the worker says of each failed run what the host says of it, too.</summary>
    private const string RunsOfWorker = "Microsoft.Azure.Functions.Worker.FunctionsApplication";

    public static Task<int> Main(string[] args) => RunAsync(
        args, AppContext.BaseDirectory, ConfigurationLoader.ProcessEnvironment(), Console.Error);

    internal static async Task<int> RunAsync(
        string[] args, string appFolder, IReadOnlyDictionary<string, string> environment, TextWriter errors)
    {
        try
        {
            using var host = Build(args, appFolder, environment, errors);
            await StartAsync(host.Services);
            return await RunAsync(host, errors);
        }
        catch (ConfigurationException e)
        {
            await TellAsync(errors, [.. e.Faults.Select(fault => fault.ToString())]);
            return BadConfiguration;
        }
        catch (Exception e)
        {
            var verdict = FailurePolicy.Judge(e);
            await TellAsync(errors, [$"{verdict.Problem} {verdict.Check}"]);
            if (verdict.IsDefect) await errors.WriteLineAsync(FailurePolicy.TraceOf(e));
            return Failed;
        }
    }

    private static async Task<int> RunAsync(IHost host, TextWriter errors)
    {
        try
        {
            await host.RunAsync();
            return 0;
        }
        catch (Exception e)
        {
            await errors.WriteLineAsync(
                ConsoleLine.Error($"the Functions host cannot be reached, or is gone ({e.GetType().Name}: {e.Message})"));
            return Failed;
        }
    }

    private static async Task TellAsync(TextWriter errors, string[] faults)
    {
        foreach (var fault in faults) await errors.WriteLineAsync(ConsoleLine.Error(fault));
        // Whatever it begins with, the host does not take such a line for an error.
        if (Array.Exists(faults, ConsoleLine.IsTakenForWarning))
            await errors.WriteLineAsync(ConsoleLine.Error("the worker ends, for what the lines before this one say"));
    }

    /// <summary>The host does not hear of it, or is gone: what it would wait for would not come.</summary>
    internal static void End(string why)
    {
        Console.Error.WriteLine(ConsoleLine.Error(why));
        Environment.Exit(Failed);
    }

    internal static IHost Build(
        string[] args, string appFolder, IReadOnlyDictionary<string, string> environment, TextWriter errors)
    {
        var builder = FunctionsApplication.CreateBuilder(args);
        builder.Services.AddFunctionApp(appFolder, environment);
        builder.Logging.AddProvider(new ConsoleLog(errors)).AddFilter(RunsOfWorker, LogLevel.None);
        return builder.Build();
    }

    private static async Task StartAsync(IServiceProvider services)
    {
        // It counts from when it is made: before the first trigger, not with the first request.
        _ = services.GetRequiredService<MetricsExport>();
        // So that the halves are seen to be there before anything triggers them.
        _ = services.GetRequiredService<StreamFunctions>();
        await services.GetRequiredService<FunctionsTopic>().PrepareAsync();
        await services.GetRequiredService<FunctionsRows>().CheckAsync();
    }
}
