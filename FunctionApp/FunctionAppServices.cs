using Microsoft.Extensions.DependencyInjection;
using OrdersStream.Configuration;
using OrdersStream.Triggers;

namespace OrdersStream.FunctionApp;

/// <summary>What the functions need.</summary>
internal static class FunctionAppServices
{
    /// <exception cref="ConfigurationException">With every fault of the configuration and of the triggers' settings.</exception>
    public static IServiceCollection AddFunctionApp(this IServiceCollection services, string appFolder, IReadOnlyDictionary<string, string> environment) =>
        services.AddPipeline(TriggerConfiguration.Load(appFolder, environment, KafkaSecurity.Build)).AddSingleton<TriggeredHalves>().AddSingleton<TriggeredTopic>();
}
