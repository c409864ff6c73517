using Microsoft.Azure.Functions.Worker.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using OrdersStream.Configuration;
using OrdersStream.Hosting.Functions;
using OrdersStream.Site;

namespace OrdersStream.FunctionApp;

/// <summary>The worker process: everything is checked before it tells the Functions host of any function.</summary>
internal static class Program
{
    private const int BadConfiguration = 2;

    public static Task<int> Main(string[] args) => RunAsync(
        args, AppContext.BaseDirectory, ConfigurationLoader.ProcessEnvironment(), Console.Error);

    internal static async Task<int> RunAsync(
        string[] args, string appFolder, IReadOnlyDictionary<string, string> environment, TextWriter errors)
    {
        var builder = FunctionsApplication.CreateBuilder(args);
        try
        {
            builder.Services.AddFunctionApp(appFolder, environment);
        }
        catch (ConfigurationException e)
        {
            foreach (var fault in e.Faults) await errors.WriteLineAsync(fault.ToString());
            return BadConfiguration;
        }
        var host = builder.Build();
        // It counts from when it is made: before the first trigger, not with the first request.
        _ = host.Services.GetRequiredService<MetricsExport>();
        await host.Services.GetRequiredService<FunctionsTopic>().PrepareAsync();
        await host.RunAsync();
        return 0;
    }
}
