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

    /// <summary>The same with tombstones, as db/orders.sql makes them.</summary>
    public const string ItemsAndDeletes = Items + Deletes;

    /// <summary>Tombstones of a table that is there.</summary>
    public const string Deletes =
        """
        CREATE TABLE items_deletes (
            delete_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id bigint NOT NULL, deleted_at timestamptz NOT NULL);
        CREATE INDEX ON items_deletes (deleted_at);
        CREATE FUNCTION items_deletes() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'TRUNCATE' THEN
                IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
                    RAISE EXCEPTION 'TRUNCATE of % in a transaction of level % is refused',
                        TG_TABLE_NAME, current_setting('transaction_isolation');
                END IF;
                INSERT INTO public.items_deletes (id, deleted_at) SELECT id, clock_timestamp() FROM public.items;
            ELSE
                INSERT INTO public.items_deletes (id, deleted_at) VALUES (OLD.id, clock_timestamp());
            END IF;
            RETURN NULL;
        END
        $$;
        CREATE TRIGGER deletes AFTER DELETE ON items FOR EACH ROW EXECUTE FUNCTION items_deletes();
        CREATE TRIGGER keys AFTER UPDATE ON items FOR EACH ROW WHEN (OLD.id IS DISTINCT FROM NEW.id) EXECUTE FUNCTION items_deletes();
        CREATE TRIGGER truncates BEFORE TRUNCATE ON items FOR EACH STATEMENT EXECUTE FUNCTION items_deletes();
        ALTER TABLE items ENABLE ALWAYS TRIGGER deletes, ENABLE ALWAYS TRIGGER keys, ENABLE ALWAYS TRIGGER truncates;
        """;

    private readonly KafkaServer kafka;
    private readonly TestFolder folder;
    private readonly Dictionary<int, long> delivered = [];
    private readonly List<PipelineInstance> instances = [];

    private TestStream(TestDatabase database, KafkaServer kafka, TestFolder folder, PipelineOptions options)
    {
        (Database, this.kafka, this.folder, Options) = (database, kafka, folder, options);
        Lake = new LakeReader(options.Datalake.Path);
    }

    public TestDatabase Database { get; }

    public PipelineOptions Options { get; private set; }

    public CapturedLog Log { get; } = new();

    /// <summary>The clock of its processes.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Called at each crash point; throwing there is the crash.</summary>
    public Action<CrashPoint>? OnReached { get; set; }

    public LakeReader Lake { get; }

    /// <summary>The process that the test is about, from when it is first asked for.</summary>
    public PipelineInstance Instance
    {
        get => field ??= NewInstance();
        private set;
    }

    /// <param name="postgres">The server.</param>
    /// <param name="kafka">The broker.</param>
    /// <param name="ddl">Makes the table.</param>
    /// <param name="table">Its name as Postgres stores it.</param>
    /// <param name="configure">What this test configures otherwise. There is no slack unless it says so, so that bounds are seen to hold by
    /// themselves.</param>
    /// <param name="time">The clock; null: the system's.</param>
    public static Task<TestStream> CreateAsync(
        PostgresServer postgres, KafkaServer kafka, string ddl = Items, string table = "items",
        Func<PipelineOptions, PipelineOptions>? configure = null, TimeProvider? time = null) =>
        CreateAsync(postgres, kafka, database => database.ExecuteAsync(ddl), (database, folder) =>
        {
            var options = Bare(StreamOptions.For(database.Login, table, kafka, "test-", folder));
            return configure?.Invoke(options) ?? options;
        }, time);

    /// <param name="postgres">The server.</param>
    /// <param name="kafka">The broker.</param>
    /// <param name="makeTableAsync">Makes the table in the database.</param>
    /// <param name="optionsIn">The configuration, of the database and the folder of its files.</param>
    /// <param name="time">The clock; null: the system's.</param>
    internal static async Task<TestStream> CreateAsync(
        PostgresServer postgres, KafkaServer kafka, Func<TestDatabase, Task> makeTableAsync,
        Func<TestDatabase, string, PipelineOptions> optionsIn, TimeProvider? time = null)
    {
        var database = await postgres.CreateDatabaseAsync();
        try
        {
            await makeTableAsync(database);
            var folder = new TestFolder();
            return new TestStream(database, kafka, folder, optionsIn(database, folder.Path)) { Time = time ?? TimeProvider.System };
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
        var instance = new PipelineInstance(options ?? Options, Time, Log, point => OnReached?.Invoke(point));
        instances.Add(instance);
        return instance;
    }

    /// <summary>A process with both loops, as LocalHost has them.</summary>
    /// <param name="configure">What it configures otherwise.</param>
    /// <param name="crashPoints">Those of this run; null: nothing listens.</param>
    /// <param name="time">Its clock; null: the stream's.</param>
    public TestRun NewRun(
        Func<PipelineOptions, PipelineOptions>? configure = null, CrashPoints? crashPoints = null, TimeProvider? time = null) =>
        new(configure?.Invoke(Options) ?? Options, time ?? Time, Log, crashPoints);

    /// <summary>
    /// The process ends and is started again, perhaps with another configuration, and finds the poller's lock free. Not for tests with
    /// another poller beside it.
    /// </summary>
    public async Task RestartAsync(Func<PipelineOptions, PipelineOptions>? configure = null)
    {
        await Instance.DisposeAsync();
        await UntilNobodyPollsAsync();
        Options = configure?.Invoke(Options) ?? Options;
        Instance = NewInstance();
    }

    /// <summary>
    /// The server lets go of a poller's lock when it notices that the session is closed, a moment after the client closed it.
    /// </summary>
    public Task UntilNobodyPollsAsync() => Database.UntilAsync(
        "the lock is free",
        "SELECT NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database "
        + "WHERE datname = current_database()))");

    /// <summary>The server ends the sessions of this stream's pollers, whatever they are doing, and has let go of their lock.</summary>
    public async Task EndPollersSessionsAsync()
    {
        await ExecuteAsync(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'orders-stream' "
            + "AND datname = current_database()");
        await UntilNobodyPollsAsync();
    }

    /// <summary>
    /// Waits for what comes about in this stream: whatever its processes write, or warn of, is a reason to go on waiting.
    /// </summary>
    /// <param name="condition">What is waited for.</param>
    /// <param name="running">The processes that bring it about.</param>
    /// <param name="actual">What is there instead, for the failure.</param>
    public Task UntilAsync(Func<bool> condition, Task? running, Func<string> actual) =>
        Waiting.UntilAsync(condition, running, () => $"{actual()}\n{Log}", Progress);

    /// <summary>Waits until the lake has so many rows.</summary>
    public Task UntilStoredAsync(long rows, Task running)
    {
        var files = -1;
        return UntilAsync(IsSo, running, () => $"the lake has {Lake.Count()} of {rows} rows");

        // A count of rows is dear, and the same where no file has come.
        bool IsSo()
        {
            var before = files;
            files = Lake.Files.Count;
            return files != before && Lake.Count() >= rows;
        }
    }

    /// <summary>How far its processes have got.</summary>
    private object Progress()
    {
        // A heart beats whether anything comes about or not.
        var files = folder.Files().Where(f => !IsHeartbeat(f.FullName)).ToList();
        return (files.Count, files.Select(f => f.LastWriteTimeUtc).DefaultIfEmpty().Max(), Log.Warnings.Count());
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

    /// <summary>
    /// Invariants 1 to 3 in one: the lake is the table, and the topic holds each row version once. Without transactions the topic may have
    /// one again, and the lake has it once all the same.
    /// </summary>
    public Task LakeShouldEqualTableAsync(params string[] keyColumns) => LakeShouldEqualTableAsync(0, keyColumns);

    /// <summary>It, where Postgres was started anew so many times.</summary>
    public async Task LakeShouldEqualTableAsync(int serverStarts, params string[] keyColumns)
    {
        await OracleBy(keyColumns).LakeShouldEqualTableAsync();
        if (Options.Kafka.IsTransactional) Dump().ShouldHoldEachRowVersionOnce(serverStarts);
        else Lake.ShouldHoldEachRowVersionOnce(serverStarts);
    }

    /// <summary>Of each row the newest version in the lake is the table's; a version may be there more than once.</summary>
    /// <param name="where">Which rows, in SQL that both databases know.</param>
    public Task NewestShouldEqualTableAsync(string where = "true", string living = "true") =>
        OracleBy([]).LakeShouldEqualTableAsync(where, living);

    /// <summary>The same, of a key of several columns.</summary>
    public Task NewestOfKeysShouldEqualTableAsync(string where, params string[] keyColumns) =>
        OracleBy(keyColumns).LakeShouldEqualTableAsync(where);

    private Oracle OracleBy(string[] keyColumns) => new(Database, QualifiedTable, keyColumns is [] ? ["id"] : keyColumns, Lake);

    public TopicDump Dump() => TopicDump.Read(kafka.Brokers, Options.Kafka.Topic);

    /// <summary>All that the stream consists of, by its content. Heartbeats are only seen of it.</summary>
    public Dictionary<string, string> StateFiles() => new[]
    {
        Options.Streaming.LastProcessedTimestampLocation, Options.Streaming.CheckpointLocation, Options.Datalake.Path,
    }
        .Where(Directory.Exists)
        .SelectMany(f => Directory.EnumerateFiles(f, "*", SearchOption.AllDirectories)).Where(f => !IsHeartbeat(f))
        .ToDictionary(f => f, f => Convert.ToHexString(File.ReadAllBytes(f)));

    private static bool IsHeartbeat(string path) => Path.GetFileName(Path.GetDirectoryName(path)) == "heartbeats";

    public string QualifiedTable => $"{Quoted(Options.Postgres.Schema)}.{Quoted(Options.Postgres.Table)}";

    public async ValueTask DisposeAsync()
    {
        foreach (var instance in instances) await instance.DisposeAsync();
        await Database.DisposeAsync();
        folder.Dispose();
    }

    private static string Quoted(string name) => $"\"{name.Replace("\"", "\"\"")}\"";

    /// <summary>No slack, and files of no value's folder.</summary>
    private static PipelineOptions Bare(PipelineOptions options) => options with
    {
        Postgres = options.Postgres with { SlackSeconds = 0 },
        Datalake = options.Datalake with { PartitionBy = "none" },
    };
}
