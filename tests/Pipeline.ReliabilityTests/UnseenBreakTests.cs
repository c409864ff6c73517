using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests;

/// <summary>
/// A session that ends while nobody waits for its answer: the next statement meets a connection that is gone already, which the driver
/// reports as a mistake of its caller.
/// </summary>
public sealed class UnseenBreakTests(PostgresServer postgres, KafkaServer kafka)
{
    /// <summary>More than fits into any buffer on the way: the copy is under way for as long as its rows are not all taken.</summary>
    private const int Rows = 150;

    [Fact]
    public async Task behind_the_last_page_of_a_poll()
    {
        await using var stream = await CreateAsync(o => o);
        Assert.False((await stream.Instance.PollOnePageAsync()).WindowDone);

        await BreaksOnceAsync(stream);
    }

    [Fact]
    public async Task behind_the_last_page_of_a_snapshot()
    {
        await using var stream = await CreateAsync(o => o with { SnapshotSeconds = 0 });

        await BreaksOnceAsync(stream);
    }

    private async Task<TestStream> CreateAsync(Func<PostgresOptions, PostgresOptions> configure)
    {
        var stream = await TestStream.CreateAsync(
            postgres, kafka, configure: o => o with { Postgres = configure(o.Postgres with { PageBytes = 65_536 }) });
        await stream.ExecuteAsync($"INSERT INTO items (id, name) SELECT i, repeat(md5(i::text), 1000) FROM generate_series(1, {Rows}) i");
        stream.OnReached = point =>
        {
            if (point != CrashPoint.WatermarkWritten) return;
            stream.OnReached = null;
            stream.EndPollersSessionsAsync().GetAwaiter().GetResult();
        };
        return stream;
    }

    private static async Task BreaksOnceAsync(TestStream stream)
    {
        var failure = await Assert.ThrowsAnyAsync<Exception>(stream.PollAsync);
        Assert.True(FailurePolicy.Judge(failure).Action == FailureAction.Retry, $"{failure}");

        await stream.DrainAsync();
        await stream.StoreAsync();
        await stream.LakeShouldEqualTableAsync();
        Assert.Equal(Rows, stream.Dump().Records.Count);
    }
}
