using DotNet.Testcontainers.Builders;
using Microsoft.Extensions.Logging.Abstractions;
using Testcontainers.Kafka;

namespace OrdersStream.TestKit.Servers;

/// <summary>A real broker in a container, where a Docker engine answers.</summary>
public sealed class ContainerBroker : IAsyncDisposable
{
    private const string Image = "apache/kafka:3.9.1";

    // The image may have to be fetched first.
    private static readonly TimeSpan StartTimeout = TimeSpan.FromMinutes(4);

    private readonly KafkaContainer container;

    private ContainerBroker(KafkaContainer container) => this.container = container;

    public string Address => container.GetBootstrapAddress().Replace("PLAINTEXT://", "", StringComparison.OrdinalIgnoreCase).TrimEnd('/');

    /// <summary>The broker, or why there is none: no engine, no image and no network to fetch it, too slow.</summary>
    public static async Task<(ContainerBroker? Broker, string WhyNot)> TryStartAsync()
    {
        KafkaContainer? container = null;
        using var timeout = new CancellationTokenSource(StartTimeout);
        try
        {
            container = new KafkaBuilder(Image).WithLogger(NullLogger.Instance).Build();
            await container.StartAsync(timeout.Token);
            return (new ContainerBroker(container), "");
        }
        catch (Exception e)
        {
            if (container is not null) await container.DisposeAsync();
            return (null, e is DockerUnavailableException or ArgumentException
                ? "no Docker engine answers"
                : $"Docker could not start {Image} within {StartTimeout.TotalMinutes:0} minutes ({e.GetType().Name}: {e.Message})");
        }
    }

    public ValueTask DisposeAsync() => container.DisposeAsync();
}
