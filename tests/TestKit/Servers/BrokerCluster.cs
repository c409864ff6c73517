using Confluent.Kafka;

namespace OrdersStream.TestKit.Servers;

/// <summary>
/// Three brokers around one ZooKeeper, as docker-compose has it for one: every partition in three copies, of which two must hold a record
/// before it is acknowledged. The offsets of groups and the state of transactions lie in one partition each, so that one broker leads each
/// of them.
/// </summary>
public sealed class BrokerCluster : IAsyncDisposable
{
    private const int Brokers = 3;

    private static readonly string[] Settings =
    [
        "default.replication.factor=3", "min.insync.replicas=2",
        "offsets.topic.replication.factor=3", "offsets.topic.num.partitions=1",
        "transaction.state.log.replication.factor=3", "transaction.state.log.min.isr=2", "transaction.state.log.num.partitions=1",
        "log.cleaner.enable=false", "num.network.threads=1", "num.io.threads=2", "background.threads=1",
        // A broker that was killed is missed after so long; so is one that a busy machine keeps from answering. None is stopped in order.
        "zookeeper.session.timeout.ms=10000", "controlled.shutdown.enable=false",
    ];

    private readonly List<LaunchedBroker> brokers = [];

    private BrokerCluster()
    {
    }

    /// <summary>Bootstrap addresses of all of them.</summary>
    public string Addresses => string.Join(',', brokers.Select(b => b.Address));

    /// <param name="launcher">The script that starts a broker.</param>
    public static async Task<BrokerCluster> StartAsync(string launcher)
    {
        var cluster = new BrokerCluster();
        try
        {
            cluster.brokers.Add(await LaunchedBroker.StartAsync(launcher, ["--zookeeper", "broker.id=0", .. Settings]));
            var zookeeper = $"zookeeper.connect={cluster.brokers[0].Setting("zookeeper.connect")}";
            cluster.brokers.AddRange(await Task.WhenAll(Enumerable.Range(1, Brokers - 1).Select(
                id => LaunchedBroker.StartAsync(launcher, ["--zookeeper", $"broker.id={id}", .. Settings, zookeeper]))));
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    public int Count => brokers.Count;

    public LaunchedBroker this[int id] => brokers[id];

    /// <summary>Which broker leads a partition now.</summary>
    public int LeaderOf(string topic, int partition)
    {
        using var admin = NewAdmin();
        return admin.GetMetadata(topic, Waiting.Patience).Topics.Single().Partitions.Single(p => p.PartitionId == partition).Leader;
    }

    /// <summary>
    /// The others know that a broker is gone. Only then may it come back: ZooKeeper holds the name of a killed broker until its session has
    /// timed out, and a broker that finds its own name taken ends.
    /// </summary>
    public bool Misses(int id)
    {
        using var admin = NewAdmin();
        return admin.GetMetadata(Waiting.Patience).Brokers.TrueForAll(b => b.BrokerId != id);
    }

    /// <summary>Every partition of every topic has all its copies: any one broker may be lost.</summary>
    public bool IsWhole()
    {
        using var admin = NewAdmin();
        var cluster = admin.GetMetadata(Waiting.Patience);
        return cluster.Brokers.Count == Brokers
            && cluster.Topics.All(t => t.Partitions.All(p => p.Leader >= 0 && p.InSyncReplicas.Length == p.Replicas.Length));
    }

    public async ValueTask DisposeAsync()
    {
        // Nothing of them is kept, so none need wait for another.
        await Task.WhenAll(brokers.Select(b => b.KillAsync()));
        await Task.WhenAll(brokers.Select(b => b.DisposeAsync().AsTask()));
    }

    private IAdminClient NewAdmin() =>
        new AdminClientBuilder(new AdminClientConfig { BootstrapServers = Addresses })
            .SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { }).Build();
}
