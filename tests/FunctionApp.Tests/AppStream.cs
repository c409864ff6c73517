using System.Globalization;
using Microsoft.Azure.Functions.Worker;
using OrdersStream.Configuration;
using OrdersStream.Durable;
using OrdersStream.Hosting.Functions;
using OrdersStream.Kafka;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.FunctionApp.Tests;

/// <summary>A stream of one test's own, with what a deployed app finds: its folder, the YAML file above it, the environment.</summary>
internal sealed class AppStream : IAsyncDisposable
{
    private readonly TestFolder folder = new("app");
    private readonly KafkaServer kafka;
    private readonly List<AppWorker> workers = [];

    private AppStream(TestStream stream, KafkaServer kafka)
    {
        (Stream, this.kafka) = (stream, kafka);
        Directory.CreateDirectory(folder.PathOf("configs"));
        AppFolder = Directory.CreateDirectory(folder.PathOf("FunctionApp", "bin", "output")).FullName;
        File.WriteAllText(folder.PathOf("configs", "orders_stream.yml"), ConfigurationLoader.Print(Options));
        Environment = new()
        {
            ["KAFKA_BROKERS"] = Options.Kafka.Brokers,
            ["KAFKA_TOPIC"] = Options.Kafka.Topic,
            ["KAFKA_GROUP"] = Options.Kafka.EffectiveGroupId,
            ["POSTGRES_TO_KAFKA_SCHEDULE"] = TimeSpan.FromSeconds(Options.Streaming.BatchInterval)
                .ToString("c", CultureInfo.InvariantCulture),
            ["AzureWebJobsStorage"] = "",
            ["Postgres__Password"] = Options.Postgres.Password ?? "",
        };
    }

    public TestStream Stream { get; }
    public PipelineOptions Options => Stream.Options;
    public string AppFolder { get; }
    public Dictionary<string, string> Environment { get; }
    public string Brokers => kafka.Brokers;
    public bool BrokerIsReal => kafka.IsReal;

    public static async Task<AppStream> CreateAsync(
        PostgresServer postgres, KafkaServer kafka, int rows = 0, Func<PipelineOptions, PipelineOptions>? configure = null)
    {
        var stream = new AppStream(await TestStream.CreateAsync(postgres, kafka, configure: configure), kafka);
        if (rows > 0) await stream.InsertAsync(1, rows);
        return stream;
    }

    public Task InsertAsync(int first, int rows) =>
        Stream.ExecuteAsync(
            FormattableString.Invariant(
                $"INSERT INTO items (id, name) SELECT i, 'name ' || i FROM generate_series({first}, {first + rows - 1}) i"));

    /// <summary>Another instance of the app, or the same one started again.</summary>
    public AppWorker NewWorker(Action<CrashPoint>? onReached = null, TimeProvider? time = null, BatchLimit? limit = null)
    {
        var worker = new AppWorker(AppFolder, Environment, Stream.Log, onReached, time, BrokerIsReal ? null : Options, limit);
        workers.Add(worker);
        return worker;
    }

    /// <summary>The topic's records as the host hands them over, those of all partitions in the order they arrived.</summary>
    public KafkaRecord[] Records() => [.. Stream.Dump().Records.Select(Deliveries.ToHost)];

    /// <summary>Log ids of one level and above.</summary>
    public IEnumerable<int> Ids(Microsoft.Extensions.Logging.LogLevel least) =>
        Stream.Log.Lines.Where(l => l.Level >= least).Select(l => l.Id);

    public async ValueTask DisposeAsync()
    {
        foreach (var worker in workers) await worker.DisposeAsync();
        await Stream.DisposeAsync();
        folder.Dispose();
    }
}

/// <summary>Deliveries in the host's shape.</summary>
internal static class Deliveries
{
    public static KafkaRecord ToHost(StreamRecord record) => new()
    {
        Topic = "t",
        Partition = record.Partition,
        Offset = record.Offset,
        Key = record.Key!,
        Value = record.Value!,
        Timestamp = new KafkaTimestamp { UnixTimestampMs = record.TimestampMs },
        // The host has an empty array where there are none.
        Headers = [.. (record.Headers ?? []).Select(h => new KafkaHeader { Key = h.Name, Value = h.Value! })],
    };

    /// <summary>In turns, one record of each partition: as mixed as a delivery can be with each partition in its order.</summary>
    public static KafkaRecord[] Mixed(IEnumerable<KafkaRecord> records) =>
        [
            .. records.GroupBy(r => r.Partition)
                .SelectMany(p => p.Select((r, i) => (Turn: i, Record: r))).OrderBy(x => x.Turn).Select(x => x.Record)];
}
