using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Npgsql;
using OrdersStream.Configuration;
using OrdersStream.Demo.Servers;
using OrdersStream.Durable;
using OrdersStream.LocalHost.Terminal;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.TestKit.Programs;

/// <summary>
/// A stream of the orders table, which db/orders.sql makes, read with the least rights; its processes say their warnings as a terminal
/// shows them.
/// </summary>
public sealed class TestPipeline : IAsyncDisposable
{
    private readonly TestStream stream;

    private TestPipeline(TestStream stream) => this.stream = stream;

    public TestDatabase Database => stream.Database;

    public PipelineOptions Options => stream.Options;

    /// <summary>What was logged, warnings and worse.</summary>
    public ConcurrentQueue<string> Warnings { get; } = [];

    public static async Task<TestPipeline> CreateAsync(PostgresServer postgres, KafkaServer kafka) =>
        new(await TestStream.CreateAsync(postgres, kafka, MakeTableAsync, (database, folder) =>
        {
            var options = StreamOptions.For(database.LoginOf(PostgresServer.PipelineRole), "t_orders", kafka, "t", folder);
            return options with
            {
                Postgres = options.Postgres with { Sslmode = "disable" },
                Streaming = options.Streaming with { BatchInterval = 1 },
            };
        }));

    /// <param name="configure">What this process configures otherwise.</param>
    /// <param name="crashPoints">Those of this run; null: nothing listens.</param>
    public TestRun Run(
        Func<PipelineOptions, PipelineOptions>? configure = null, CrashPoints? crashPoints = null, TimeProvider? time = null) =>
        new(configure?.Invoke(Options) ?? Options, time ?? TimeProvider.System, Log(), crashPoints);

    public LineLogger Log() => new(LogLevel.Warning, TimeProvider.System, Warnings.Enqueue, colours: false);

    public async Task OnceAsync()
    {
        await using (var run = Run()) Assert.True(await run.OnceAsync(null, TestContext.Current.CancellationToken));
        // The server ends a session a moment after it was closed.
        await stream.UntilNobodyPollsAsync();
    }

    public ValueTask DisposeAsync() => stream.DisposeAsync();

    private static Task MakeTableAsync(TestDatabase database) => OrdersScript.ApplyAsync(
        new NpgsqlConnectionStringBuilder(database.Login.ConnectionString) { Pooling = false }.ConnectionString,
        "t", PostgresServer.PipelineRole, PostgresServer.RolePassword, TestContext.Current.CancellationToken);
}
