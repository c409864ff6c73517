using Confluent.Kafka;
using Npgsql;
using OrdersStream.Configuration;
using OrdersStream.Kafka;

namespace OrdersStream.Benchmarks.Running;

/// <summary>A stream of its own for one measurement: topic, group, lake, position. They go with it.</summary>
internal sealed class BenchmarkStream : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);
    private readonly bool brokerIsReal;
    private readonly string folder;

    public BenchmarkStream(Servers servers, NpgsqlConnectionStringBuilder source, string table, string parent)
    {
        brokerIsReal = servers.Kafka.IsReal;
        folder = Path.Combine(parent, Guid.NewGuid().ToString("N")[..12]);
        Options = new()
        {
            Postgres = new() { Host = source.Host!, Port = source.Port, Db = source.Database!, User = source.Username!, Password = source.Password, Table = table },
            Kafka = new() { Brokers = servers.Kafka.Brokers, Topic = "bench-" + Path.GetFileName(folder), BrokerTellsTopicIds = brokerIsReal },
            Datalake = new() { Path = Path.Combine(folder, "lake") },
            Streaming = new() { CheckpointLocation = Path.Combine(folder, "checkpoint"), LastProcessedTimestampLocation = Path.Combine(folder, "lastprocess"), BatchInterval = 1 },
        };
        Directory.CreateDirectory(folder);
        File.WriteAllText(ConfigurationFile, ConfigurationLoader.Print(Options));
    }

    public PipelineOptions Options { get; }
    public string ConfigurationFile => Path.Combine(folder, "orders_stream.yml");
    public LakeFiles Lake => field ??= new LakeFiles(Options.Datalake.Path);

    /// <summary>For a measurement that needs the topic before anybody has published to it.</summary>
    public Task CreateTopicAsync(CancellationToken cancellationToken) => new TopicAdmin(Options).EnsureAsync(cancellationToken);

    public async ValueTask DisposeAsync()
    {
        Directory.Delete(folder, recursive: true);
        // The in-process broker answers no such calls, and ends with this process.
        if (!brokerIsReal) return;
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = Options.Kafka.Brokers }).SetLogHandler((_, _) => { }).Build();
        try
        {
            await admin.DeleteTopicsAsync([Options.Kafka.Topic], new() { RequestTimeout = Patience });
        }
        catch (KafkaException)
        {
            // It was not made, or the broker is going already.
        }
    }
}
