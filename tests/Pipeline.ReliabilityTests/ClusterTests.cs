using Microsoft.Extensions.Logging;
using OrdersStream.Configuration;
using OrdersStream.Hosting.Loops;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests;

/// <summary>
/// One of three brokers dies in mid-load, whatever it does for the pipeline: the other two hold all that was acknowledged, and both halves
/// go on with them by themselves (invariants 1 to 3).
/// </summary>
public sealed class ClusterTests(PostgresServer postgres, ThreeBrokers brokers) : IClassFixture<ThreeBrokers>
{
    private const int RowsMeanwhile = 150;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task a_broker_that_is_killed_in_mid_load_costs_nothing_whether_it_leads_coordinates_or_controls()
    {
        var kafka = await brokers.StartAsync();
        await using var stream = await TestStream.CreateAsync(postgres, kafka, configure: InThreeCopies);
        await using var run = stream.NewRun();
        using var giveUp = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(giveUp.Token);
        // Each by itself: where one stops by a failure, the other may wait for a broker for a long time before it stops too.
        var halves = Enum.GetValues<PipelineHalf>().Select(half => run.UntilStoppedAsync(half, null, stop.Token, giveUp.Token)).ToList();
        var running = Task.WhenAny(halves).Unwrap();
        var load = LoadAsync(stream, stop.Token);
        try
        {
            await UntilMoreIsStoredAsync(stream, running);
            // What a broker leads, coordinates or controls goes to another only when it dies: whichever had it is met.
            for (var broker = 0; broker < kafka.Cluster.Count; broker++) await LoseAsync(broker);

            await stop.CancelAsync();
            await load;
            await Task.WhenAll(halves).WithPatienceAsync("both halves");
        }
        finally
        {
            await giveUp.CancelAsync();
            await Task.WhenAll([load, .. halves])
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        }
        Assert.True(await run.OnceAsync(null, Cancellation));
        await stream.LakeShouldEqualTableAsync();
        Assert.DoesNotContain(stream.Log.Lines, line => line.Level >= LogLevel.Error);

        async Task LoseAsync(int broker)
        {
            await kafka.Cluster[broker].KillAsync();
            await Waiting.UntilAsync(() => kafka.Cluster.Misses(broker), running, () => $"broker {broker} is not missed by the others");
            await UntilMoreIsStoredAsync(stream, running);
            await kafka.Cluster[broker].StartAgainAsync();
            await Waiting.UntilAsync(() => kafka.Cluster.IsWhole(), running, () => $"broker {broker} did not catch up with the others");
        }
    }

    /// <summary>The client says nothing of it: it goes on reading those of the others.</summary>
    [Fact]
    public async Task a_partition_that_nobody_answers_for_is_told_while_others_are_stored()
    {
        var kafka = await brokers.StartAsync();
        await using var stream = await TestStream.CreateAsync(
            postgres, kafka, configure: o => InThreeCopies(o) with { Kafka = o.Kafka with { ReplicationFactor = 1 } });
        await kafka.CreateTopicAsync(stream.Options.Kafka.Topic, ("min.insync.replicas", "1"));
        await stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, 'first' FROM generate_series(1, 60) i");
        await stream.DrainAsync();
        await using var run = stream.NewRun();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var running = run.UntilStoppedAsync(PipelineHalf.KafkaToLake, null, stop.Token, Cancellation);
        await stream.UntilStoredAsync(60, running);

        var alone = kafka.Cluster.LeaderOf(stream.Options.Kafka.Topic, 0);
        await kafka.Cluster[alone].KillAsync();
        await stream.UntilAsync(() => stream.Log.Lines.Any(l => l.Id == 9002), running, () => "nobody is told");
        await kafka.Cluster[alone].StartAgainAsync();
        await stream.UntilAsync(() => stream.Log.Lines.Any(l => l.Id == 9003), running, () => "it does not end");

        await stop.CancelAsync();
        await running.WithPatienceAsync("the storing half");
        Assert.DoesNotContain(stream.Log.Lines, line => line.Level >= LogLevel.Error);
    }

    private static PipelineOptions InThreeCopies(PipelineOptions options) => options with
    {
        Kafka = options.Kafka with { ReplicationFactor = 3 },
        Postgres = options.Postgres with { PageBytes = 8192 },
        Streaming = options.Streaming with { BatchInterval = 1 },
    };

    /// <summary>New rows and changed ones, of all partitions, all the time.</summary>
    private static async Task LoadAsync(TestStream stream, CancellationToken stop)
    {
        for (var first = 1; !stop.IsCancellationRequested; first += 20)
        {
            await stream.ExecuteAsync(
                $"INSERT INTO items (id, name) SELECT i, repeat('x', 100) FROM generate_series({first}, {first + 19}) i");
            await stream.ExecuteAsync(
                $"UPDATE items SET name = 'changed', updated_at = clock_timestamp() WHERE id BETWEEN {first - 30} AND {first - 20}");
            await Task.Delay(150, Cancellation); // a load, and no flood
        }
    }

    private static Task UntilMoreIsStoredAsync(TestStream stream, Task running) =>
        stream.UntilStoredAsync(stream.Lake.Count() + RowsMeanwhile, running);
}

/// <summary>A cluster for all tests of a class, which leave it whole.</summary>
public sealed class ThreeBrokers : IAsyncDisposable
{
    private KafkaServer? cluster;

    /// <summary>With the first test, so that a missing server is that test's outcome.</summary>
    internal async Task<KafkaServer> StartAsync() => cluster ??= await KafkaServer.StartClusterAsync();

    public async ValueTask DisposeAsync()
    {
        if (cluster is not null) await cluster.DisposeAsync();
    }
}
