using OrdersStream.Capture;
using OrdersStream.Configuration;
using OrdersStream.Durable;
using OrdersStream.Kafka;
using OrdersStream.Store;
using OrdersStream.TestKit.Oracles;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.TestKit;

/// <summary>
/// One test's own stream: a database with one table, a topic, a group, a lake. All on shared servers, none of it shared.
/// Delivery is the test's own, so that it can deliver late, twice and in any cut.
/// </summary>
public sealed class TestStream : IAsyncDisposable
{
    /// <summary>A table whose clients set the ordering column themselves, so that a test says what time it is.</summary>
    public const string Items =
        """
        CREATE TABLE items (id bigint PRIMARY KEY, name text, updated_at timestamptz NOT NULL DEFAULT now());
        CREATE INDEX ON items (updated_at, id);
        """;

    private readonly KafkaServer kafka;
    private readonly DirectoryInfo folder;
    private readonly Dictionary<int, long> delivered = [];
    private readonly List<PipelineInstance> instances = [];

    private TestStream(TestDatabase database, KafkaServer kafka, DirectoryInfo folder, PipelineOptions options)
    {
        (Database, this.kafka, this.folder, Options) = (database, kafka, folder, options);
        Lake = new LakeReader(options.Datalake.Path);
        Instance = NewInstance();
    }

    public TestDatabase Database { get; }

    public PipelineOptions Options { get; private set; }

    public CapturedLog Log { get; } = new();

    /// <summary>Called at each crash point; throwing there is the crash.</summary>
    public Action<CrashPoint>? OnReached { get; set; }

    public LakeReader Lake { get; }

    /// <summary>The process that the test is about.</summary>
    public PipelineInstance Instance { get; private set; }

    /// <param name="postgres">The server.</param>
    /// <param name="kafka">The broker.</param>
    /// <param name="ddl">Makes the table.</param>
    /// <param name="table">Its name as Postgres stores it.</param>
    /// <param name="configure">What this test configures otherwise. There is no slack unless it says so, so that bounds are seen to hold by themselves.</param>
    public static async Task<TestStream> CreateAsync(
        PostgresServer postgres, KafkaServer kafka, string ddl = Items, string table = "items", Func<PipelineOptions, PipelineOptions>? configure = null)
    {
        var database = await postgres.CreateDatabaseAsync();
        try
        {
            await database.ExecuteAsync(ddl);
            var folder = Directory.CreateTempSubdirectory("orders-stream-test-");
            var options = OptionsFor(database, kafka, table, folder.FullName);
            return new TestStream(database, kafka, folder, configure?.Invoke(options) ?? options);
        }
        catch
        {
            await database.DisposeAsync();
            throw;
        }
    }

    /// <summary>Another process with the same configuration, or another one.</summary>
    public PipelineInstance NewInstance(PipelineOptions? options = null)
    {
        var instance = new PipelineInstance(options ?? Options, Log, point => OnReached?.Invoke(point));
        instances.Add(instance);
        return instance;
    }

    /// <summary>The process ends and is started again, perhaps with another configuration.</summary>
    public async Task RestartAsync(Func<PipelineOptions, PipelineOptions>? configure = null)
    {
        await Instance.DisposeAsync();
        Options = configure?.Invoke(Options) ?? Options;
        Instance = NewInstance();
    }

    /// <summary>The server lets go of a poller's lock when it notices that the session is closed, a moment after the client closed it.</summary>
    public Task UntilNobodyPollsAsync() => Database.UntilAsync(
        "the lock is free", "SELECT NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))");

    /// <summary>The server ends the sessions of this stream's pollers, whatever they are doing, and has let go of their lock.</summary>
    public async Task EndPollersSessionsAsync()
    {
        await ExecuteAsync("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'orders-stream' AND datname = current_database()");
        await UntilNobodyPollsAsync();
    }

    /// <summary>Statements on the source, each committed by itself.</summary>
    public Task ExecuteAsync(string sql) => Database.ExecuteAsync(sql);

    public Task<PollResult> PollAsync() => Instance.PollAsync();

    /// <summary>Polls until there is nothing left.</summary>
    public async Task DrainAsync()
    {
        while ((await PollAsync()).Outcome == PollOutcome.Published) { }
    }

    /// <summary>What the topic holds that was not handed out by this method before, of all partitions, in the order it arrived.</summary>
    public IReadOnlyList<StreamRecord> TakeNewRecords()
    {
        var records = TopicDump.Read(kafka.Brokers, Options.Kafka.Topic, delivered).Records;
        foreach (var record in records) delivered[record.Partition] = record.Offset + 1;
        return records;
    }

    /// <summary>Delivers what is new in the topic as one batch.</summary>
    public async Task<BatchResult> StoreAsync() =>
        await Instance.StoreAsync(TakeNewRecords());

    /// <summary>Delivers the whole topic from its beginning, in small batches: what a group without offsets gets.</summary>
    public async Task StoreEverythingAsync()
    {
        foreach (var batch in Dump().Records.Chunk(25))
            await Instance.StoreAsync(batch);
    }

    /// <summary>One poll, and everything that is new in the topic goes to the lake.</summary>
    public async Task PollAndStoreAsync()
    {
        await PollAsync();
        await StoreAsync();
    }

    /// <summary>Invariants 1 to 3 in one: the lake is the table, and the topic holds each row version once.</summary>
    public async Task LakeShouldEqualTableAsync(params string[] keyColumns)
    {
        await new Oracle(Database, QualifiedTable, keyColumns is [] ? ["id"] : keyColumns, Lake).LakeShouldEqualTableAsync();
        Dump().ShouldHoldEachRowVersionOnce();
    }

    public TopicDump Dump() => TopicDump.Read(kafka.Brokers, Options.Kafka.Topic);

    public string QualifiedTable => $"{Quoted(Options.Postgres.Schema)}.{Quoted(Options.Postgres.Table)}";

    public async ValueTask DisposeAsync()
    {
        foreach (var instance in instances) await instance.DisposeAsync();
        await Database.DisposeAsync();
        folder.Delete(recursive: true);
    }

    private static string Quoted(string name) => $"\"{name.Replace("\"", "\"\"")}\"";

    private static PipelineOptions OptionsFor(TestDatabase database, KafkaServer kafka, string table, string folder) => new()
    {
        Postgres = new PostgresOptions
        {
            Host = database.Host,
            Port = database.Port,
            Db = database.Name,
            User = database.Superuser,
            Password = database.SuperuserPassword,
            Table = table,
            SlackSeconds = 0,
        },
        Kafka = new KafkaOptions
        {
            Brokers = kafka.Brokers,
            Topic = "test-" + Guid.NewGuid().ToString("N")[..12],
            BrokerTellsTopicIds = kafka.IsReal,
        },
        Datalake = new DatalakeOptions { Path = Path.Combine(folder, "lake"), PartitionBy = "none" },
        Streaming = new StreamingOptions
        {
            CheckpointLocation = Path.Combine(folder, "checkpoint"),
            LastProcessedTimestampLocation = Path.Combine(folder, "lastprocess"),
        },
    };
}
