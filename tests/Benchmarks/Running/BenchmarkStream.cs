using Confluent.Kafka;
using Npgsql;
using OrdersStream.Configuration;
using OrdersStream.Kafka;
using OrdersStream.TestKit;

namespace OrdersStream.Benchmarks.Running;

/// <summary>A stream of its own for one measurement: topic, group, lake, position. They go with it.</summary>
internal sealed class BenchmarkStream : IAsyncDisposable
{
    // Nobody waits for a topic that is of no use any more.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);
    private readonly bool brokerIsReal;
    private readonly string folder;

    public BenchmarkStream(Servers servers, NpgsqlConnectionStringBuilder source, string table, string parent)
    {
        brokerIsReal = servers.Kafka.IsReal;
        folder = Directory.CreateDirectory(Path.Combine(parent, UniqueName.Of("stream-"))).FullName;
        var options = StreamOptions.For(source, table, servers.Kafka, "bench-", folder);
        Options = options with { Streaming = options.Streaming with { BatchInterval = 1 } };
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
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = Options.Kafka.Brokers })
            .SetLogHandler((_, _) => { }).Build();
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
