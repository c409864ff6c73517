using OrdersStream.Diagnostics;
using OrdersStream.Hosting.Loops;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Kafka;

/// <summary>A disk changes what a broker keeps, and the broker sends it as it is.</summary>
public sealed class DamagedLogTests(PostgresServer postgres, PutBackBroker broker) : IClassFixture<PutBackBroker>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task a_byte_that_a_disk_changed_is_said_and_no_row_has_it()
    {
        await using var stream = await broker.CreateAsync(
            postgres, options => options with { Kafka = options.Kafka with { Compression = "none" } });
        foreach (var name in (string[])["before it", "as it was written"])
        {
            await stream.ExecuteAsync($"UPDATE items SET name = '{name}', updated_at = clock_timestamp() WHERE id = 7");
            await using var run = stream.NewRun();
            await PutBackBroker.CaptureAsync(run);
        }
        Assert.Equal(1, broker.ChangeLogs(stream, "as it was written", "as it was wrItten"));

        await using (var run = stream.NewRun())
        {
            var stopped = await Assert.ThrowsAsync<HalfStoppedException>(() => run.OnceAsync(PipelineHalf.KafkaToLake, Cancellation));
            Assert.Contains("What a broker keeps of the topic is damaged", stopped.Problem, StringComparison.Ordinal);
        }
        // What comes before it is stored: who goes on behind it, by deleting up to there, loses nothing else.
        Assert.Equal(PutBackBroker.Rows + 1, stream.Lake.Count());

        // The remedy: the broker's log is restored.
        Assert.Equal(1, broker.ChangeLogs(stream, "as it was wrItten", "as it was written"));
        await using (var run = stream.NewRun()) Assert.True(await run.OnceAsync(PipelineHalf.KafkaToLake, Cancellation));
        await stream.NewestShouldEqualTableAsync();
    }
}
