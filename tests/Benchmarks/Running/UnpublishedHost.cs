using Microsoft.Extensions.Logging;
using OrdersStream.Configuration;
using OrdersStream.Hosting.Loops;
using OrdersStream.LocalHost.Verbs;

namespace OrdersStream.Benchmarks.Running;

/// <summary>
/// LocalHost's <c>run</c> inside a child of this program: no key of a configuration says that a broker is the in-process one.
/// </summary>
internal static class UnpublishedHost
{
    public const string Verb = "host";

    public static Task<int> RunAsync(string configuration, bool once, string? only, CancellationToken cancellationToken)
    {
        var options = ConfigurationLoader.Load(configuration, [], ConfigurationLoader.ProcessEnvironment(), null);
        PipelineHalf? half = only switch
        {
            null => null,
            "postgres-to-kafka" => PipelineHalf.PostgresToKafka,
            _ => PipelineHalf.KafkaToLake,
        };
        options = options with { Kafka = options.Kafka with { BrokerTellsTopicIds = false } };
        return RunVerb.ExecuteAsync(new(options, half, once, null, LogLevel.Information), cancellationToken);
    }
}
