using System.Text.RegularExpressions;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using OrdersStream.Demo.Servers;

namespace OrdersStream.TestKit.Servers;

/// <summary>
/// The broker of all tests of the assembly: a real one where the environment names one or can start one, else the
/// in-process one. Each test takes a topic and a group of its own.
/// </summary>
public sealed class KafkaServer : IAsyncLifetime
{
    private IAsyncDisposable? owned;
    private EmbeddedBroker? embedded;
    private string? whyNotReal;

    /// <summary>Bootstrap address.</summary>
    public string Brokers { get; private set; } = "";

    /// <summary>True for Apache Kafka, false for the in-process broker.</summary>
    public bool IsReal => whyNotReal is null;

    /// <summary>
    /// One that was killed is not let in again before its session has timed out. For all else: a dozen are there at a time, each for
    /// minutes, and mostly nothing is asked of them, which costs more than all that is.
    /// </summary>
    private static readonly string[] Quiet =
    [
        "broker.session.timeout.ms=6000", "metadata.max.idle.interval.ms=0", "log.cleaner.enable=false", "num.network.threads=1",
        "num.io.threads=2", "background.threads=1",
    ];

    /// <summary>A private broker for tests that do to it what others should not see.</summary>
    /// <param name="properties">Settings of the broker, KEY=VALUE.</param>
    public static async Task<KafkaServer> StartOwnAsync(params string[] properties)
    {
        var broker = await LaunchedBroker.StartAsync(RequireLauncher("a broker"), [.. Quiet, .. properties]);
        return new KafkaServer { owned = broker, Brokers = broker.Address };
    }

    /// <summary>The same behind a proxy: that is where it tells clients to find it, and so itself too.</summary>
    internal static async Task<KafkaServer> StartBehindAsync(KafkaProxy proxy, params string[] properties)
    {
        var server = await StartOwnAsync([$"advertised.listeners=PLAINTEXT://{proxy.Address}", .. properties]);
        proxy.To(server.Brokers);
        server.Brokers = proxy.Address;
        return server;
    }

    /// <summary>Three brokers that hold everything in three copies, for tests that lose one of them.</summary>
    public static async Task<KafkaServer> StartClusterAsync()
    {
        var cluster = await BrokerCluster.StartAsync(RequireLauncher("brokers"));
        return new KafkaServer { owned = cluster, Brokers = cluster.Addresses };
    }

    private static string RequireLauncher(string what)
    {
        if (TestEnvironment.Read(TestEnvironment.KafkaLauncher) is { } launcher) return launcher;
        TestEnvironment.MissingServer($"needs {what} of its own, and {TestEnvironment.KafkaLauncher} names no script that starts one");
        return null!;
    }

    /// <summary>The broker of <see cref="StartOwnAsync"/>.</summary>
    public LaunchedBroker Own => (LaunchedBroker)owned!;

    /// <summary>The brokers of <see cref="StartClusterAsync"/>.</summary>
    public BrokerCluster Cluster => (BrokerCluster)owned!;

    public async ValueTask InitializeAsync()
    {
        if (TestEnvironment.Read(TestEnvironment.Kafka) is { } address)
        {
            Brokers = address;
        }
        else if (TestEnvironment.Read(TestEnvironment.KafkaLauncher) is { } launcher)
        {
            var broker = await LaunchedBroker.StartAsync(launcher);
            (owned, Brokers) = (broker, broker.Address);
        }
        else
        {
            var (container, whyNot) = await ContainerBroker.TryStartAsync();
            if (container is not null) (owned, Brokers) = (container, container.Address);
            else UseEmbedded($"no real broker: neither {TestEnvironment.Kafka} nor {TestEnvironment.KafkaLauncher} is set, and {whyNot}");
        }
    }

    /// <summary>Ends the test here unless the broker is a real one.</summary>
    /// <param name="what">What only a real broker shows.</param>
    public void RequireReal(string what)
    {
        if (whyNotReal is not null) TestEnvironment.MissingServer($"needs a real broker ({what}); {whyNotReal}");
    }

    public async Task DeleteTopicAsync(string topic)
    {
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = Brokers }).Build();
        await admin.DeleteTopicsAsync([topic]);
    }

    /// <summary>Deletes a topic and makes another one of that name.</summary>
    public async Task RecreateTopicAsync(string topic)
    {
        await DeleteTopicAsync(topic);
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = Brokers }).Build();
        while (true)
        {
            try
            {
                await admin.CreateTopicsAsync([new TopicSpecification { Name = topic, NumPartitions = 4, ReplicationFactor = 1 }]);
                return;
            }
            catch (CreateTopicsException e) when (e.Results.Single().Error.Code == ErrorCode.TopicAlreadyExists)
            {
                // The deletion goes on behind its answer.
            }
        }
    }

    /// <summary>Makes a topic as somebody would by hand.</summary>
    public async Task CreateTopicAsync(string topic, params (string Name, string Value)[] settings)
    {
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = Brokers }).Build();
        await admin.CreateTopicsAsync(
            [new TopicSpecification { Name = topic, NumPartitions = 2, ReplicationFactor = 1, Configs = settings.ToDictionary() }]);
        // A broker knows of it a moment after the one that made it.
        await Waiting.UntilAsync(
            () => admin.GetMetadata(topic, Waiting.Patience).Topics.TrueForAll(t => t.Error.Code == ErrorCode.NoError),
            running: null, () => $"topic {topic} is not shown");
    }

    /// <summary>Follows a remedy: sets what the kafka-configs command in it sets.</summary>
    public async Task FollowAsync(string topic, string remedy)
    {
        var command = Regex.Match(
            remedy,
            $"kafka-configs --bootstrap-server {Brokers} --alter --entity-type topics --entity-name {topic} "
            + "--add-config ([a-z.]+)=([^ )]+)");
        Assert.True(command.Success, remedy);
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = Brokers }).Build();
        await admin.IncrementalAlterConfigsAsync(new()
        {
            [new ConfigResource { Type = ResourceType.Topic, Name = topic }] =
            [
                new ConfigEntry
                {
                    Name = command.Groups[1].Value, Value = command.Groups[2].Value, IncrementalOperation = AlterConfigOpType.Set,
                },
            ],
        });
    }

    private void UseEmbedded(string reason)
    {
        whyNotReal = reason;
        embedded = EmbeddedBroker.Start(CancellationToken.None);
        Brokers = embedded.BootstrapServers;
    }

    public async ValueTask DisposeAsync()
    {
        embedded?.Dispose();
        if (owned is not null) await owned.DisposeAsync();
    }
}
