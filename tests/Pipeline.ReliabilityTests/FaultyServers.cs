using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging;
using OrdersStream.Configuration;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests;

/// <summary>A Postgres and a broker that may be broken, each behind a proxy; and a pipeline that runs over them while they are.</summary>
public sealed partial class FaultyServers : IAsyncLifetime
{
    internal TcpProxy PostgresProxy { get; } = new();
    internal TcpProxy KafkaProxy { get; } = new();
    public PostgresServer? Postgres { get; private set; }
    public KafkaServer? Kafka { get; private set; }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    /// <summary>
    /// Both halves run, rows come, the fault strikes while rows come, is mended, and rows come again: in the end the lake is the table,
    /// each row version is in the topic once, and of each trouble the log says little.
    /// </summary>
    /// <param name="strike">The fault.</param>
    /// <param name="mend">Its end; null: it passes by itself.</param>
    /// <param name="configure">How the stream is to be.</param>
    internal async Task SurvivesAsync(
        Func<TestStream, Task> strike, Func<Task>? mend = null, Func<PipelineOptions, PipelineOptions>? configure = null)
    {
        await using var stream = await CreateStreamAsync(configure: configure);
        await using var run = stream.NewRun();
        using var stop = new CancellationTokenSource();
        var running = run.UntilStoppedAsync(null, null, stop.Token, Cancellation);
        await InsertAsync(stream, 1);
        await stream.UntilStoredAsync(200, running);

        await InsertAsync(stream, 201);
        await strike(stream);
        if (mend is not null) await mend();
        await InsertAsync(stream, 401);
        await stream.ExecuteAsync("UPDATE items SET name = name || '+', updated_at = clock_timestamp() WHERE id % 7 = 0");
        await stream.UntilStoredAsync(600, running);
        await stream.UntilAsync(() => Updated(stream) == "85", running, () => $"of 85 updates {Updated(stream)} are in the lake");

        await stop.CancelAsync();
        await running.WithPatienceAsync("both halves");
        await stream.LakeShouldEqualTableAsync();
        SaysLittle(stream);
    }

    /// <summary>A stream of which the pipeline sees the proxies, and the test the servers.</summary>
    internal async Task<TestStream> CreateStreamAsync(
        string ddl = TestStream.Items, Func<PipelineOptions, PipelineOptions>? configure = null)
    {
        await StartAsync();
        return await TestStream.CreateAsync(
            Postgres!, Kafka!, ddl, configure: options => configure is null ? Behind(options) : configure(Behind(options)));
    }

    public async ValueTask DisposeAsync()
    {
        await PostgresProxy.DisposeAsync();
        await KafkaProxy.DisposeAsync();
        if (Postgres is not null) await Postgres.DisposeAsync();
        if (Kafka is not null) await Kafka.DisposeAsync();
    }

    /// <summary>With the first test, so that a missing server is that test's outcome; one beside the other.</summary>
    private async Task StartAsync()
    {
        if (Kafka is not null) return;
        var starting = KafkaServer.StartOwnAsync($"advertised.listeners=PLAINTEXT://127.0.0.1:{KafkaProxy.Port}");
        if (Postgres is null)
        {
            Postgres = await PostgresServer.StartOwnAsync();
            PostgresProxy.ToUnixSocket(Postgres.SocketPath);
        }
        var kafka = await starting;
        var address = kafka.Brokers.Split(':');
        KafkaProxy.ToTcp(address[0], int.Parse(address[1]));
        Kafka = kafka;
    }

    private PipelineOptions Behind(PipelineOptions options) => options with
    {
        Postgres = options.Postgres with { Host = "127.0.0.1", Port = PostgresProxy.Port, Sslmode = "disable", PageBytes = 4096 },
        Streaming = options.Streaming with { BatchInterval = 1 },
    };

    private static Task InsertAsync(TestStream stream, int first) =>
        stream.ExecuteAsync($"INSERT INTO items (id, name) SELECT i, repeat('x', 100) FROM generate_series({first}, {first + 199}) i");

    private static string? Updated(TestStream stream) =>
        stream.Lake.Rows($"SELECT count(DISTINCT id) FROM {stream.Lake.Source} WHERE name LIKE '%+'")[0][0];

    /// <summary>Once for each kind of trouble until the half works again, not at each attempt; and nothing that calls a human.</summary>
    private static void SaysLittle(TestStream stream)
    {
        Assert.DoesNotContain(stream.Log.Lines, line => line.Level >= LogLevel.Error);
        var told = new HashSet<string>();
        foreach (var line in stream.Log.Lines)
        {
            var half = line.Message[..(line.Message.IndexOf(':') + 1)];
            if (line.Id == 9003) told.RemoveWhere(kind => kind.StartsWith(half, StringComparison.Ordinal));
            else if (line.Id == 9002) Assert.True(told.Add(Kind().Match(line.Message).Value), $"told again: {line.Message}\n{stream.Log}");
        }
    }

    // Half, problem and code, without what the server says of it.
    [GeneratedRegex(@"\A[^(.]*(\(\w+)?")]
    private static partial Regex Kind();
}
