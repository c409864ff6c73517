using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Hosting.Loops;
using OrdersStream.Kafka;
using OrdersStream.Store;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Kafka;

/// <summary>
/// One broker for all tests of a class, whose volume is put back to a copy: the end of the log that it had acknowledged is gone.
/// </summary>
public sealed class PutBackBroker : IAsyncLifetime
{
    internal const int Rows = 500;

    private KafkaServer? server;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    internal string Brokers => server!.Brokers;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    /// <summary>A table whose rows are in the topic and in the lake.</summary>
    internal async Task<TestStream> CreateAsync(PostgresServer postgres, Func<PipelineOptions, PipelineOptions>? configure = null)
    {
        // With the first test, so that a missing server is that test's outcome.
        server ??= await KafkaServer.StartOwnAsync();
        var stream = await TestStream.CreateAsync(
            postgres, server, configure: options => configure is null ? InPages(options) : configure(InPages(options)),
            time: new ShortPauses());
        await stream.ExecuteAsync($"INSERT INTO items (id, name) SELECT i, repeat('x', 100) FROM generate_series(1, {Rows}) i");
        await stream.DrainAsync();
        await stream.StoreAsync();
        await stream.RestartAsync();
        return stream;
    }

    /// <summary>All that the brokers acknowledge meanwhile is lost afterwards.</summary>
    internal async Task LoseAsync(Func<Task> meanwhile)
    {
        await server!.Own.CopyDataAsync();
        await meanwhile();
        await server.Own.PutBackDataAsync();
    }

    /// <summary>The broker's disk changes what it keeps of a stream's topic.</summary>
    internal int ChangeLogs(TestStream stream, string from, string to) => server!.Own.ChangeLogs(stream.Options.Kafka.Topic, from, to);

    /// <summary>The end of each partition.</summary>
    internal static Task<IReadOnlyList<long>> EndsAsync(TestStream stream) =>
        new TopicReader(stream.Options).EndsAsync(stream.Options.Kafka.Partitions, Cancellation);

    internal static Task UpdateAllAsync(TestStream stream, string name) =>
        stream.ExecuteAsync($"UPDATE items SET name = '{name}' || repeat('x', 100), updated_at = clock_timestamp()");

    /// <summary>Captures all that is in the table, as the loop of a process does: a poll that fails is called again.</summary>
    internal static async Task CaptureAsync(TestRun run) => Assert.True(await run.OnceAsync(PipelineHalf.PostgresToKafka, Cancellation));

    /// <summary>Delivers a batch as a platform does: again, where it was not taken.</summary>
    internal static async Task<BatchResult> DeliverAsync(TestStream stream, IReadOnlyList<StreamRecord> records)
    {
        for (var tries = 1;; tries++)
        {
            try
            {
                return await stream.Instance.StoreAsync(records);
            }
            catch (PipelineException e) when (e.Action == FailureAction.Retry && tries < 10)
            {
                TestContext.Current.TestOutputHelper?.WriteLine($"delivered again: {e.Message}");
            }
        }
    }

    /// <summary>Waits until each key's newest version, by the rule of readers, is the table's row.</summary>
    internal static Task UntilLakeEqualsTableAsync(TestStream stream, Task running)
    {
        var last = "";
        return Waiting.UntilAsync(IsSoAsync, running, () => $"{last}\n{stream.Log}");

        async Task<bool> IsSoAsync()
        {
            try
            {
                await stream.NewestShouldEqualTableAsync();
                return true;
            }
            catch (Xunit.Sdk.XunitException e)
            {
                last = e.Message;
                return false;
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (server is not null) await server.DisposeAsync();
    }

    private static PipelineOptions InPages(PipelineOptions options) => options with
    {
        Postgres = options.Postgres with { PageBytes = 64 * 1024 },
        Kafka = options.Kafka with { TransactionTimeout = 15 },
        Streaming = options.Streaming with { BatchInterval = 1 },
    };
}
