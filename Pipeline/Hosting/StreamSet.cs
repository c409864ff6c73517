using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.Status;
using OrdersStream.Status.StatusPage;

namespace OrdersStream;

/// <summary>The wiring that both hosts share.</summary>
public static class PipelineServices
{
    /// <summary>Registers both halves. A host or a test that registers its own clock or crash points before keeps them.</summary>
    public static IServiceCollection AddPipeline(this IServiceCollection services, PipelineOptions options)
    {
        services.AddLogging();
        services.TryAddSingleton(options);
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(CrashPoints.OfProcess);
        services.TryAddSingleton<PipelineMetrics>();
        services.TryAddSingleton<MetricsExport>();
        services.TryAddSingleton<FailureJournal>();
        services.TryAddSingleton<FlowHistory>();
        services.TryAddSingleton(provider => new ProcessStatus("OrdersStream", provider.GetRequiredService<TimeProvider>().GetUtcNow(), []));
        services.TryAddSingleton<TopicAdmin>();
        services.TryAddSingleton<TopicReader>();
        services.TryAddSingleton<PostgresToKafka>();
        services.TryAddSingleton<LakeOpener>();
        services.TryAddSingleton<StatusReader>();
        services.TryAddSingleton<StatusSite>();
        services.TryAddSingleton<LakeComparison>();
        return services;
    }
}
