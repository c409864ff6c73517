using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Kafka;

/// <summary>
/// The broker's machine sleeps in mid-page, and wakes up when the client, the transaction and the broker's own session have all been given
/// up: it then finds what was sent to it before, and meanwhile, in no order that anybody knows.
/// </summary>
public sealed class PausedBrokerTests(PostgresServer postgres, ProxiedStreams streams) : IClassFixture<ProxiedStreams>
{
    /// <summary>More than a page, an answer, a transaction or the broker's session may take.</summary>
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(25);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(KafkaApi.Produce, 10, "transactions")]
    [InlineData(KafkaApi.EndTxn, 3, "transactions")]
    [InlineData(KafkaApi.Produce, 14, "frames")]
    public async Task a_broker_that_sleeps_for_longer_than_any_time_out_costs_nothing(KafkaApi api, int number, string delivery)
    {
        await using var stream = await streams.CreateAsync(
            postgres, configure: o => CrashStream.By(delivery, o));
        var asleep = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var before = 0;
        streams.Proxy.Observe(asked: request =>
        {
            if (request.Api != api || Interlocked.Increment(ref before) != number) return;
            streams.Broker.Pause();
            asleep.SetResult();
        });
        var running = ProxiedStreams.OnceAsync(stream);
        try
        {
            await Task.WhenAny(asleep.Task, running).WithPatienceAsync("the page that is met");
            await Task.Delay(Long, Cancellation); // the fault itself: it lasts for so long
            Assert.Contains(stream.Log.Lines, line => line.Id == 2015); // long before a time-out
            await stream.UntilAsync(() => stream.Log.Lines.Any(line => line.Id == 9002), running, () => "no time-out was met");
        }
        finally
        {
            streams.Broker.Continue();
        }
        await running.WithPatienceAsync("both halves");

        await ProxiedStreams.LakeShouldBeExactAsync(stream);
        if (stream.Options.Kafka.IsTransactional) stream.Dump().ShouldHoldEachRowVersionOnce();
    }
}
