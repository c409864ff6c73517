using Confluent.Kafka;

namespace OrdersStream.IntegrationTests.Servers;

/// <summary>
/// librdkafka's mock cluster: one broker inside this process. It keeps records of aborted transactions visible and fences
/// no zombie, so what depends on either asks for a real broker.
/// </summary>
public sealed class InProcessBroker : IAsyncDisposable
{
    private readonly IProducer<Null, Null> cluster;

    private InProcessBroker(IProducer<Null, Null> cluster, string address) => (this.cluster, Address) = (cluster, address);

    public string Address { get; }

    public static InProcessBroker Start()
    {
        var config = new ProducerConfig { BootstrapServers = "unused" };
        config.Set("test.mock.num.brokers", "1");
        var cluster = new ProducerBuilder<Null, Null>(config).SetLogHandler((_, _) => { }).Build();
        using var admin = new DependentAdminClientBuilder(cluster.Handle).Build();
        var broker = admin.GetMetadata(TimeSpan.FromSeconds(10)).Brokers.Single();
        return new InProcessBroker(cluster, $"{broker.Host}:{broker.Port}");
    }

    public ValueTask DisposeAsync()
    {
        cluster.Dispose();
        return ValueTask.CompletedTask;
    }
}
