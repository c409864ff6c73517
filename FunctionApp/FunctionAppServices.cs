using Microsoft.Extensions.DependencyInjection;
using OrdersStream.Configuration;
using OrdersStream.Status;
using OrdersStream.Triggers;

namespace OrdersStream.FunctionApp;

/// <summary>What the functions need.</summary>
internal static class FunctionAppServices
{
    /// <exception cref="ConfigurationException">With every fault of the configuration and of the triggers' settings.</exception>
    public static IServiceCollection AddFunctionApp(this IServiceCollection services, string appFolder, IReadOnlyDictionary<string, string> environment) =>
        services
            .AddSingleton(new ProcessStatus("FunctionApp", TimeProvider.System.GetUtcNow(), [nameof(PostgresToKafka), nameof(KafkaToLake)]))
            .AddPipeline(TriggerConfiguration.Load(appFolder, environment, KafkaSecurity.Build))
            .AddSingleton<TriggeredHalves>()
            .AddSingleton<TriggeredTopic>();
}
