using OrdersStream.Durable;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Kafka;

/// <summary>What networks do to a single request of the publisher changes nothing: the topic and the lake have each row once.</summary>
public sealed class SingleRequestTests(PostgresServer postgres, ProxiedStreams streams) : IClassFixture<ProxiedStreams>
{
    /// <summary>Some pages.</summary>
    private const int Rows = 12_000;

    [Theory]
    [InlineData(KafkaApi.InitProducerId, 1)]
    [InlineData(KafkaApi.AddPartitionsToTxn, 2)]
    [InlineData(KafkaApi.Produce, 6)]
    [InlineData(KafkaApi.EndTxn, 2)]
    public async Task an_answer_that_is_lost(KafkaApi api, int number)
    {
        await using var stream = await streams.CreateAsync(postgres, Rows);
        await ChangesNothingAsync(stream, streams.Proxy.CutAnswer(api, number));
    }

    [Theory]
    [InlineData(KafkaApi.InitProducerId, 1)]
    [InlineData(KafkaApi.AddPartitionsToTxn, 2)]
    [InlineData(KafkaApi.Produce, 6)]
    [InlineData(KafkaApi.EndTxn, 2)]
    public async Task a_request_that_arrives_twice(KafkaApi api, int number)
    {
        await using var stream = await streams.CreateAsync(postgres, Rows);
        await ChangesNothingAsync(stream, streams.Proxy.Repeat(api, number));
    }

    /// <summary>
    /// The client has asked again and been answered, and is at its next page. A commit that comes late has its own tests.
    /// </summary>
    [Theory]
    [InlineData(KafkaApi.InitProducerId, 1)]
    [InlineData(KafkaApi.AddPartitionsToTxn, 2)]
    [InlineData(KafkaApi.Produce, 6)]
    public async Task a_request_that_arrives_in_the_next_page(KafkaApi api, int number)
    {
        await using var stream = await streams.CreateAsync(postgres, Rows);
        var held = streams.Proxy.Hold(api, number);
        var isInNextPage = false;
        streams.Proxy.Observe(answered: request =>
        {
            if (Volatile.Read(ref isInNextPage) && request.Api == KafkaApi.Produce) held.Release();
        });
        await ChangesNothingAsync(stream, held, point =>
        {
            if (point == CrashPoint.PageCommitted && held.Arrived.IsCompleted) Volatile.Write(ref isInNextPage, true);
        });
    }

    [Fact]
    public async Task an_answer_that_is_lost_without_transactions()
    {
        await using var stream = await streams.CreateAsync(postgres, Rows, CrashStream.ByFrames);
        await ChangesNothingAsync(stream, streams.Proxy.CutAnswer(KafkaApi.Produce, 10));
    }

    [Fact]
    public async Task a_request_that_arrives_twice_without_transactions()
    {
        await using var stream = await streams.CreateAsync(postgres, Rows, CrashStream.ByFrames);
        await ChangesNothingAsync(stream, streams.Proxy.Repeat(KafkaApi.Produce, 10));
    }

    private static async Task ChangesNothingAsync(TestStream stream, KafkaFault fault, Action<CrashPoint>? onReached = null)
    {
        await ProxiedStreams.OnceAsync(stream, onReached);
        await fault.Answered.WithPatienceAsync("the fault to strike", Waiting.LessThanATimeout);
        await ProxiedStreams.LakeShouldBeExactAsync(stream);
        if (stream.Options.Kafka.IsTransactional) stream.Dump().ShouldHoldEachRowVersionOnce();
    }
}
