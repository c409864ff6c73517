using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using OrdersStream.Capture;
using OrdersStream.Configuration;
using OrdersStream.Durable;
using OrdersStream.Hosting;
using OrdersStream.Hosting.Functions;
using OrdersStream.Site;
using OrdersStream.Status;
using OrdersStream.Store;

namespace OrdersStream.FunctionApp;

/// <summary>What the functions need: the stream of the configuration, and what calls and shows it.</summary>
internal static class FunctionAppServices
{
    /// <summary>A test that registers its own clock, crash points or configuration before keeps them.</summary>
    /// <exception cref="ConfigurationException">With every fault of the configuration and of the triggers' settings.</exception>
    public static IServiceCollection AddFunctionApp(
        this IServiceCollection services, string appFolder, IReadOnlyDictionary<string, string> environment)
    {
        services.AddLogging();
        services.TryAddSingleton(FunctionsConfiguration.Load(appFolder, environment, KafkaSecurity.Build));
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(CrashPoints.OfProcess);
        services.TryAddSingleton(BatchLimit.Of(appFolder, environment, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes));
        if (MetricsExport.IsPushedBy(environment.GetValueOrDefault)) services.AddHostedService<SamplerService>();
        return services
            .AddSingleton(NewStream)
            .AddSingleton(provider => new Watchdog(
                provider.GetRequiredService<PipelineOptions>(), environment, provider.GetRequiredService<TimeProvider>()))
            .AddSingleton<StreamFunctions>()
            .AddSingleton<FunctionsTopic>()
            .AddSingleton<FunctionsRows>()
            .AddHostedService<AuditService>()
            .AddHostedService<WatchdogService>()
            .AddSingleton(NewExport)
            .AddSingleton(provider =>
                new StatusSite(provider.GetRequiredService<PipelineStream>(), provider.GetRequiredService<MetricsExport>()));
    }

    /// <summary>Made after the stream, and so gone before it: the last push still has all that the stream shows.</summary>
    private static MetricsExport NewExport(IServiceProvider provider)
    {
        _ = provider.GetRequiredService<PipelineStream>();
        return new MetricsExport();
    }

    private static PipelineStream NewStream(IServiceProvider provider)
    {
        var time = provider.GetRequiredService<TimeProvider>();
        var options = provider.GetRequiredService<PipelineOptions>();
        var watchdog = provider.GetRequiredService<Watchdog>();
        string[] halves = [nameof(PostgresToKafka), nameof(KafkaToLake)];
        return new PipelineStream(
            options with { Postgres = options.Postgres with { ApplicationName = WorkerName.Of(options.Postgres.ApplicationName) } },
            new ProcessContext(
                time, provider.GetRequiredService<CrashPoints>(), provider.GetRequiredService<ILoggerFactory>().CreateLogger,
                new ProcessStatus("FunctionApp", time.GetUtcNow(), [.. halves.Where(half => !watchdog.IsSwitchedOff(half))])));
    }
}
