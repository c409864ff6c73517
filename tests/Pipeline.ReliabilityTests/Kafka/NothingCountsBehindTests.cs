using OrdersStream.Durable;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Kafka;

/// <summary>
/// A partition may end in offsets that nobody has to store: what an aborted transaction wrote, its marker, a fence, a page that was sent
/// again. The lake is not behind for them, and whoever waits for it waits for nothing.
/// </summary>
public sealed class NothingCountsBehindTests(PostgresServer postgres, KafkaServer kafka)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task a_page_that_was_given_up_for_ever_leaves_the_lake_behind_nothing(bool byFrames)
    {
        await using var stream = await CreateAsync(byFrames);
        await stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, repeat('x', 20) FROM generate_series(1, 60) i");
        Assert.Equal(0, await LocalHostProcess.OnceAsync(stream.Options));
        // Killed in mid-page; and its rows are gone before it can be sent again.
        await stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, 'y' FROM generate_series(1001, 1040) i");
        Assert.Equal(
            LocalHostProcess.KilledExitCode,
            await LocalHostProcess.OnceAsync(stream.Options, (CrashPoint.PageProduced, 1, OnPoint.Die)));
        await stream.ExecuteAsync("DELETE FROM items WHERE id > 1000");

        Assert.Equal(0, await LocalHostProcess.OnceAsync(stream.Options));

        await ShouldNotBeBehindAsync(stream);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task a_page_that_was_sent_again_leaves_the_lake_behind_nothing(bool byFrames)
    {
        await using var stream = await CreateAsync(byFrames);
        await stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, repeat('x', 20) FROM generate_series(1, 60) i");
        foreach (var point in new[] { CrashPoint.PageProduced, CrashPoint.PageCommitted })
        {
            Assert.Equal(
                LocalHostProcess.KilledExitCode, await LocalHostProcess.OnceAsync(stream.Options, (point, 1, OnPoint.Die)));
            Assert.Equal(0, await LocalHostProcess.OnceAsync(stream.Options));
            await ShouldNotBeBehindAsync(stream);
            await stream.ExecuteAsync("UPDATE items SET name = 'z', updated_at = clock_timestamp() WHERE id = 7");
        }
    }

    private Task<TestStream> CreateAsync(bool byFrames) =>
        byFrames ? CrashStream.CreateByFramesAsync(postgres, kafka) : CrashStream.CreateAsync(postgres, kafka);

    private static async Task ShouldNotBeBehindAsync(TestStream stream)
    {
        await using var run = stream.NewRun();
        Assert.Equal(0, (await run.Stream.Status.ReadAsync(Token)).Lag);
        // Not whether rows are extra: a part of a page that was whole is in the lake, and deletes are not captured.
        var compared = await run.Stream.Comparison.CompareAsync(Token);
        Assert.Equal((0, 0, 0), (compared.Missing, compared.Stale, compared.StoredTwice));
    }
}
