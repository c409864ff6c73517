using Confluent.Kafka;
using OrdersStream.Benchmarks.Measuring;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.Benchmarks.Running;

/// <summary>A private Postgres that is durable, and the broker that the environment names or can start, else the in-process one.</summary>
internal sealed class Servers : IAsyncDisposable
{
    // Errors of the pipeline show in its own output; statements are counted by session.
    private static readonly (string, string)[] Settings =
        [("fsync", "on"), ("full_page_writes", "on"), ("max_wal_size", "4GB"), ("checkpoint_timeout", "30min"), ("log_line_prefix", "%p ")];

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private List<int>? postgres;

    private Servers(PostgresServer postgres, KafkaServer kafka) => (Postgres, Kafka) = (postgres, kafka);

    public PostgresServer Postgres { get; }
    public KafkaServer Kafka { get; }

    /// <summary>What else there is on the machine.</summary>
    public OtherProcesses Others => field ??= new OtherProcesses([Postgres.Port, .. BrokerPorts]);

    /// <summary>Processor time that Postgres has used, in all of its sessions.</summary>
    public double PostgresSeconds() => ProcessTimes.OfTrees(postgres ??= [.. ProcessTimes.Listeners(Postgres.Port)]);

    /// <summary>What a report says of the broker.</summary>
    public string BrokerNote => Kafka.IsReal
        ? $"broker: Kafka at {Kafka.Brokers}"
        : $"broker: IN-PROCESS, since neither {TestEnvironment.Kafka} nor {TestEnvironment.KafkaLauncher} is set: "
            + "these figures are no figures of Kafka";

    public static async Task<Servers> StartAsync(Progress progress)
    {
        progress.Say("starting a private Postgres and a broker");
        var kafka = new KafkaServer();
        await kafka.InitializeAsync();
        try
        {
            var servers = new Servers(await PostgresServer.StartOwnOverTcpAsync(Settings), kafka);
            progress.Say(servers.BrokerNote);
            WarmUp(kafka);
            return servers;
        }
        catch
        {
            await kafka.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// A new broker makes its own topics, of transactions and of groups, when the first client asks for one: seconds that are not the
    /// pipeline's.
    /// </summary>
    private static void WarmUp(KafkaServer kafka)
    {
        if (!kafka.IsReal) return;
        using var producer = new ProducerBuilder<Null, Null>(
            new ProducerConfig { BootstrapServers = kafka.Brokers, TransactionalId = "warm-up" }).Build();
        producer.InitTransactions(Patience);
        using var consumer = new ConsumerBuilder<Ignore, Ignore>(
            new ConsumerConfig { BootstrapServers = kafka.Brokers, GroupId = "warm-up" }).Build();
        consumer.Committed([], Patience);
    }

    public async ValueTask DisposeAsync()
    {
        await Postgres.DisposeAsync();
        await Kafka.DisposeAsync();
    }

    // The in-process broker is this process.
    private IEnumerable<int> BrokerPorts => Kafka.IsReal
        ? Kafka.Brokers.Split(',').Select(b => (int)Machine.Parse(b[(b.LastIndexOf(':') + 1)..]))
        : [];
}
