using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using OrdersStream.Configuration;
using OrdersStream.Demo.Servers;
using OrdersStream.LocalHost.Terminal;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.TestKit.Programs;

/// <summary>A database with the orders table, a topic, and folders of one test's own.</summary>
public sealed class TestPipeline : IAsyncDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("orders-stream-test-").FullName;

    private TestPipeline(TestDatabase database, KafkaServer kafka)
    {
        Database = database;
        Options = new PipelineOptions
        {
            Postgres = new()
            {
                Host = database.Host, Port = database.Port, Db = database.Name, User = PostgresServer.PipelineRole, Password = PostgresServer.RolePassword,
                Table = "t_orders", Sslmode = "disable",
            },
            Kafka = new() { Brokers = kafka.Brokers, Topic = "t" + Guid.NewGuid().ToString("N"), BrokerTellsTopicIds = kafka.IsReal },
            Datalake = new() { Path = Path.Combine(folder, "lake") },
            Streaming = new()
            {
                CheckpointLocation = Path.Combine(folder, "checkpoints"), LastProcessedTimestampLocation = Path.Combine(folder, "lastprocess"), BatchInterval = 1,
            },
        };
    }

    public TestDatabase Database { get; }
    public PipelineOptions Options { get; init; }

    /// <summary>What was logged, warnings and worse.</summary>
    public ConcurrentQueue<string> Warnings { get; } = [];

    public static async Task<TestPipeline> CreateAsync(PostgresServer postgres, KafkaServer kafka)
    {
        var database = await postgres.CreateDatabaseAsync();
        await using var session = await database.OpenSessionAsync();
        await session.ExecuteAsync(PsqlScript.ToSql(
            OrdersScript.Text(),
            new Dictionary<string, string> { ["rollnumber"] = "t", ["pipeline_role"] = PostgresServer.PipelineRole, ["pipeline_password"] = PostgresServer.RolePassword },
            new Dictionary<string, string>()));
        return new TestPipeline(database, kafka);
    }

    public TestRun Run() => new(Options, TimeProvider.System, Log());

    public LineLogger Log() => new(LogLevel.Warning, TimeProvider.System, Warnings.Enqueue, colours: false);

    public async Task OnceAsync()
    {
        await using var run = Run();
        Assert.True(await run.OnceAsync(null, TestContext.Current.CancellationToken));
    }

    public async ValueTask DisposeAsync()
    {
        await Database.DisposeAsync();
        Directory.Delete(folder, recursive: true);
    }
}
