using DotNet.Testcontainers.Builders;
using Microsoft.Extensions.Logging.Abstractions;
using Testcontainers.Kafka;

namespace OrdersStream.IntegrationTests.Servers;

/// <summary>A real broker in a container, where a Docker engine answers.</summary>
public sealed class ContainerBroker : IAsyncDisposable
{
    private const string Image = "apache/kafka:3.9.1";
    private readonly KafkaContainer container;

    private ContainerBroker(KafkaContainer container) => this.container = container;

    public string Address => container.GetBootstrapAddress().Replace("PLAINTEXT://", "", StringComparison.OrdinalIgnoreCase).TrimEnd('/');

    /// <summary>Null when no Docker engine answers.</summary>
    public static async Task<ContainerBroker?> TryStartAsync()
    {
        KafkaContainer container;
        try
        {
            container = new KafkaBuilder(Image).WithLogger(NullLogger.Instance).Build();
        }
        catch (Exception e) when (e is DockerUnavailableException or ArgumentException)
        {
            return null;
        }
        try
        {
            await container.StartAsync();
            return new ContainerBroker(container);
        }
        catch (DockerUnavailableException)
        {
            await container.DisposeAsync();
            return null;
        }
        catch
        {
            await container.DisposeAsync();
            throw;
        }
    }

    public ValueTask DisposeAsync() => container.DisposeAsync();
}
