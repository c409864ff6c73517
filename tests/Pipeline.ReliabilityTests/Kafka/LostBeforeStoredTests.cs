using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Kafka;

/// <summary>
/// The brokers lose the end of the log before the lake stored it: what is still in the table is captured again, and it is said.
/// </summary>
public sealed class LostBeforeStoredTests(PostgresServer postgres, PutBackBroker broker) : IClassFixture<PutBackBroker>
{
    private const int AcknowledgedEndLost = 2012;

    /// <summary>By a poller that lived through it, which sees it with its next page, and by one that is started again.</summary>
    [Theory, InlineData(false, "transactions"), InlineData(true, "transactions"), InlineData(false, "frames"), InlineData(true, "frames")]
    public async Task what_the_brokers_lost_before_it_was_stored_is_captured_again(bool restarts, string delivery)
    {
        await using var stream = await broker.CreateAsync(postgres, o => CrashStream.By(delivery, o));
        var run = stream.NewRun();
        await PutBackBroker.CaptureAsync(run);
        await broker.LoseAsync(async () =>
        {
            await PutBackBroker.UpdateAllAsync(stream, "lost");
            await PutBackBroker.CaptureAsync(run);
        });
        if (restarts)
        {
            await run.DisposeAsync();
            await stream.UntilNobodyPollsAsync();
            run = stream.NewRun();
        }
        await using var _ = run;

        await stream.ExecuteAsync("UPDATE items SET name = 'after', updated_at = clock_timestamp() WHERE id <= 20");
        await PutBackBroker.CaptureAsync(run);
        await PutBackBroker.DeliverAsync(stream, stream.Dump().Records);

        Assert.Contains(stream.Log.Lines, line => line.Id == AcknowledgedEndLost);
        await stream.NewestShouldEqualTableAsync();
    }

    /// <summary>With nothing new to publish, it is seen within a minute.</summary>
    [Fact]
    public async Task a_poller_that_has_nothing_to_publish_sees_within_a_minute_that_the_brokers_lost_something()
    {
        var time = new ShiftedTime();
        await using var stream = await broker.CreateAsync(postgres);
        await using var run = stream.NewRun(time: time);
        await PutBackBroker.CaptureAsync(run);
        await broker.LoseAsync(async () =>
        {
            await PutBackBroker.UpdateAllAsync(stream, "lost");
            await PutBackBroker.CaptureAsync(run);
        });

        time.Shift(TimeSpan.FromSeconds(61));
        await PutBackBroker.CaptureAsync(run);
        await PutBackBroker.DeliverAsync(stream, stream.Dump().Records);

        Assert.Contains(stream.Log.Lines, line => line.Id == AcknowledgedEndLost);
        await stream.NewestShouldEqualTableAsync();
    }
}
