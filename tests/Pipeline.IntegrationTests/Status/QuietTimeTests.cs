using OrdersStream.TestKit;
using OrdersStream.TestKit.Programs;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests.Status;

[Collection(typeof(NothingElseCommits))]
public sealed class QuietTimeTests(PostgresServer postgres, KafkaServer kafka)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task after_a_quiet_time_lag_counts_from_the_last_look_that_found_nothing()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await using var run = pipeline.Run();
        await run.OnceAsync(null, Token);
        var quiet = await pipeline.Database.ScalarAsync<DateTime>("SELECT clock_timestamp()");
        Assert.Equal(0, (await run.Stream.Status.ReadAsync(Waiting.LessThanATimeout, Token)).Capture!.LagSeconds);
        await pipeline.Database.ExecuteAsync("UPDATE t_orders SET item = item WHERE order_id = 1");
        var lag = (await run.Stream.Status.ReadAsync(Waiting.LessThanATimeout, Token)).Capture!.LagSeconds!.Value;
        Assert.InRange(lag, 0, (await pipeline.Database.ScalarAsync<DateTime>("SELECT clock_timestamp()") - quiet).TotalSeconds);
    }
}
