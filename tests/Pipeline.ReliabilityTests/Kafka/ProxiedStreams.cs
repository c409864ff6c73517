using OrdersStream.Configuration;
using OrdersStream.Durable;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Kafka;

/// <summary>One broker behind a proxy for all tests of a class, and the streams that run over it, one at a time.</summary>
public sealed class ProxiedStreams : IAsyncLifetime
{
    /// <summary>Some ten pages, each of all partitions.</summary>
    internal const int Rows = 40_024;

    private ProxiedBroker? broker;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    internal KafkaProxy Proxy => broker!.Proxy;

    internal KafkaServer Server => broker!.Server;

    internal LaunchedBroker Broker => broker!.Server.Own;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    /// <summary>A table of so many rows, nothing of which is in the topic yet.</summary>
    internal async Task<TestStream> CreateAsync(
        PostgresServer postgres, int rows = Rows, Func<PipelineOptions, PipelineOptions>? configure = null)
    {
        // With the first test, so that a missing server is that test's outcome.
        broker ??= await ProxiedBroker.StartAsync();
        Proxy.Calm();
        var stream = await TestStream.CreateAsync(
            postgres, broker.Server, configure: options => configure is null ? InSmallPages(options) : configure(InSmallPages(options)));
        await stream.ExecuteAsync($"INSERT INTO items (id, name) SELECT i, repeat('x', 100) FROM generate_series(1, {rows}) i");
        return stream;
    }

    /// <summary>
    /// Both halves, once, as LocalHost has them: a poll that fails is called again, until all is published; then it is stored.
    /// </summary>
    internal static async Task OnceAsync(TestStream stream, Action<CrashPoint>? onReached = null)
    {
        await using var run = stream.NewRun(crashPoints: new CrashPoints(onReached));
        Assert.True(await run.OnceAsync(null, Cancellation));
    }

    /// <summary>
    /// Each row is in the lake once. The topic may hold pieces of a page twice: what Kafka itself tore cannot be taken back.
    /// </summary>
    internal static async Task LakeShouldBeExactAsync(TestStream stream)
    {
        await stream.NewestShouldEqualTableAsync();
        var twice = stream.Lake.Rows($"SELECT id, count(*) FROM {stream.Lake.Source} GROUP BY id, updated_at HAVING count(*) > 1");
        Assert.True(twice.Count == 0, $"{twice.Count} row versions are more than once in the lake");
        Assert.Empty(stream.Lake.QuarantineLines);
    }

    public async ValueTask DisposeAsync()
    {
        if (broker is not null) await broker.DisposeAsync();
    }

    private static PipelineOptions InSmallPages(PipelineOptions options) => options with
    {
        Postgres = options.Postgres with { PageBytes = 512 * 1024 },
        Kafka = options.Kafka with { TransactionTimeout = 15 },
    };
}
