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
    private readonly bool deletesTopic;
    private readonly string folder;

    /// <param name="servers">Where it is.</param>
    /// <param name="source">How the table is read.</param>
    /// <param name="table">Its name.</param>
    /// <param name="parent">Where its folders are to lie.</param>
    /// <param name="configure">What is different.</param>
    public BenchmarkStream(
        Servers servers, NpgsqlConnectionStringBuilder source, string table, string parent,
        Func<PipelineOptions, PipelineOptions>? configure = null)
    {
        folder = Directory.CreateDirectory(Path.Combine(parent, UniqueName.Of("stream-"))).FullName;
        var options = StreamOptions.For(source, table, servers.Kafka, "bench-", folder);
        options = options with { Streaming = options.Streaming with { BatchInterval = 1 } };
        Options = configure?.Invoke(options) ?? options;
        // The in-process broker answers no such calls, and ends with this process; and one that was given belongs to another stream.
        deletesTopic = servers.Kafka.IsReal && Options.Kafka.Topic == options.Kafka.Topic;
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
        if (!deletesTopic) return;
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
