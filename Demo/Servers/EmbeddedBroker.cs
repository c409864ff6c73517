using Confluent.Kafka;

namespace OrdersStream.Demo.Servers;

/// <summary>
/// An in-process Kafka: librdkafka's mock cluster, which speaks the protocol on loopback and keeps everything in memory.
/// It lives as long as the client that started it. It answers no admin calls, makes a topic at its first mention, and fences no zombies.
/// </summary>
public sealed class EmbeddedBroker : IDisposable
{
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(10);

    private readonly IProducer<byte[], byte[]> owner;

    private EmbeddedBroker(IProducer<byte[], byte[]> owner, string bootstrapServers)
    {
        this.owner = owner;
        BootstrapServers = bootstrapServers;
    }

    /// <summary>host:port for every other client.</summary>
    public string BootstrapServers { get; }

    public static EmbeddedBroker Start(CancellationToken cancellationToken)
    {
        var config = new ProducerConfig { BootstrapServers = "localhost:9", ClientId = "orders-stream-broker" };
        config.Set("test.mock.num.brokers", "1");
        // Its only news is that the bootstrap servers above, which a client must be given, are not used.
        var owner = new ProducerBuilder<byte[], byte[]>(config).SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { }).Build();
        try
        {
            cancellationToken.ThrowIfCancellationRequested();
            using var admin = new DependentAdminClientBuilder(owner.Handle).Build();
            var broker = admin.GetMetadata(StartTimeout).Brokers.Single();
            return new EmbeddedBroker(owner, $"{broker.Host}:{broker.Port}");
        }
        catch
        {
            owner.Dispose();
            throw;
        }
    }

    public void Dispose() => owner.Dispose();
}
