using OrdersStream.Durable;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Kafka;

/// <summary>
/// The commit of a page is held up by the network. The client asks again, is answered, and begins the next page; the old request arrives
/// when a part of that page is in the log, and commits it. What a reader of committed records then finds is half a page.
/// </summary>
public sealed class TornTransactionTests(PostgresServer postgres, ProxiedStreams streams) : IClassFixture<ProxiedStreams>
{
    [Theory, InlineData(1), InlineData(2), InlineData(3), InlineData(5)]
    public async Task a_commit_that_arrives_between_two_partitions_of_the_next_page_costs_no_row(int page)
    {
        await using var stream = await streams.CreateAsync(postgres);
        await TearsAsync(stream, page);
        await ProxiedStreams.LakeShouldBeExactAsync(stream);
    }

    /// <summary>Pages of several batches a partition.</summary>
    [Fact]
    public async Task a_commit_that_arrives_inside_a_partition_of_the_next_page_brings_no_row_twice()
    {
        await using var stream = await streams.CreateAsync(
            postgres, rows: 80_000, options => options with { Postgres = options.Postgres with { PageBytes = 6 * 1024 * 1024 } });
        await TearsAsync(stream, page: 1);
        await ProxiedStreams.LakeShouldBeExactAsync(stream);
    }

    /// <summary>Publishes and stores all of the table, while the commit of a page comes to the broker in the next one.</summary>
    private async Task TearsAsync(TestStream stream, int page)
    {
        var held = streams.Proxy.Hold(KafkaApi.EndTxn, page);
        var sent = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        KafkaFault? rest = null;
        streams.Proxy.Observe(answered: request =>
        {
            if (rest is null && held.Arrived.IsCompleted && request.Api == KafkaApi.EndTxn) rest = HoldUpNextPage(sent.Task, held.Answered);
            else if (rest is not null && request.Api == KafkaApi.Produce) held.Release();
        });

        await ProxiedStreams.OnceAsync(stream, point =>
        {
            if (point == CrashPoint.PageProduced && rest is not null) sent.TrySetResult();
        });

        Assert.True(held.Answered.IsCompletedSuccessfully, $"the old commit was not answered\n{stream.Log}");
        Assert.True(rest is { Arrived.IsCompletedSuccessfully: true }, $"the next page had one batch only\n{stream.Log}");
    }

    /// <summary>
    /// No batch of the next page is made before all of its rows are there, so each is as large as it may be; all but the first wait until
    /// the old commit has been answered.
    /// </summary>
    private KafkaFault HoldUpNextPage(Task sent, Task committed)
    {
        streams.Proxy.Delay(KafkaApi.AddPartitionsToTxn, 1, sent);
        return streams.Proxy.Delay(KafkaApi.Produce, 2, committed);
    }
}
