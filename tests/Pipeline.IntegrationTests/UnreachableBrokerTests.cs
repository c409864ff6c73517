using Confluent.Kafka;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Hosting.Loops;
using OrdersStream.Status;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests;

/// <summary>A broker that cannot be asked is told by its address and by what is wrong, by both halves and by the status.</summary>
public sealed class UnreachableBrokerTests(PostgresServer postgres, KafkaServer kafka)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task a_broker_that_advertises_a_name_that_does_not_resolve_is_named()
    {
        await using var own = await KafkaServer.StartOwnAsync("advertised.listeners=PLAINTEXT://kafka-in-docker.invalid:29092");
        await using var stream = await TestStream.CreateAsync(postgres, own);

        await ShouldSayAsync(
            stream, o => o,
            $"the brokers at {own.Brokers} answer, but one advertises itself as kafka-in-docker.invalid:29092, "
            + "which does not resolve here.",
            "Correct its advertised.listeners, or kafka.brokers.");
    }

    [Fact]
    public async Task a_listener_that_speaks_another_protocol_is_told_by_the_setting()
    {
        kafka.RequireReal("the embedded one has no other protocol");
        await using var stream = await TestStream.CreateAsync(postgres, kafka);

        await ShouldSayAsync(
            stream, o => o with { Kafka = o.Kafka with { SecurityProtocol = "ssl" } },
            $"the broker at {kafka.Brokers} closes the connection: its listener does not speak ssl.", "Correct kafka.security_protocol");
    }

    [Fact]
    public async Task a_transaction_timeout_that_the_brokers_do_not_allow_stops_capture()
    {
        kafka.RequireReal("the embedded one has no limit");
        // As brokers come, they allow a quarter of an hour.
        await using var stream = await TestStream.CreateAsync(
            postgres, kafka, configure: o => o with { Kafka = o.Kafka with { TransactionTimeout = 1_000 } });

        var failure = await Assert.ThrowsAnyAsync<KafkaException>(stream.PollAsync);

        var verdict = FailurePolicy.Judge(failure);
        Assert.Equal(FailureAction.Stop, verdict.Action);
        Assert.Contains("Lower kafka.transaction_timeout", verdict.Check);
        // The remedy, followed.
        await stream.RestartAsync(o => o with { Kafka = o.Kafka with { TransactionTimeout = 30 } });
        await stream.PollAsync();
    }

    private static async Task ShouldSayAsync(
        TestStream stream, Func<PipelineOptions, PipelineOptions> configure, string problem, string check)
    {
        await using var run = stream.NewRun(configure);
        var capture = await Assert.ThrowsAnyAsync<KafkaException>(() => run.Stream.Capture.PollAsync(TimeSpan.FromMinutes(1), Token));
        ShouldSay(FailurePolicy.Judge(capture));
        using var half = run.Stream.Begin(nameof(PipelineHalf.KafkaToLake));
        var retries = run.Stream.NewRetries(half);
        ShouldSay(FailurePolicy.Judge(
            await Assert.ThrowsAnyAsync<KafkaException>(() => run.Stream.Store.DrainAsync(TimeSpan.Zero, retries, Token))));

        var status = await run.Stream.Status.ReadAsync(Token);
        Assert.Equal((Health.Wrong, false), (status.Health, status.Topic.Reachable));
        Assert.Contains(status.Problems, p => p.Contains(problem) && p.Contains(check));

        void ShouldSay(FailureVerdict verdict)
        {
            Assert.Equal(FailureAction.Retry, verdict.Action);
            Assert.Contains(problem, verdict.Problem);
            Assert.Contains(check, verdict.Check);
        }
    }
}
