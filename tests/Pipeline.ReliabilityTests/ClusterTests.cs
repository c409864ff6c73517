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
public sealed class ClusterTests(PostgresServer postgres)
{
    private const int RowsMeanwhile = 150;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task a_broker_that_is_killed_in_mid_load_costs_nothing_whether_it_leads_coordinates_or_controls()
    {
        await using var kafka = await KafkaServer.StartClusterAsync();
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
            await LoseAsync(kafka.Cluster.LeaderOf(stream.Options.Kafka.Topic, 0));
            await LoseAsync(kafka.Cluster.LeaderOf("__transaction_state", 0));
            await LoseAsync(await kafka.Cluster.ControllerAsync());

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
