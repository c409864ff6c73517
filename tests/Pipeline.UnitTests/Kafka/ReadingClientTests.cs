using Confluent.Kafka;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;

namespace OrdersStream.UnitTests.Kafka;

/// <summary>A partition of which nothing comes ends in a failure that passes, with its cause where it is known.</summary>
public sealed class ReadingClientTests
{
    private static readonly KafkaOptions Kafka = new() { Brokers = "127.0.0.1:1", Topic = "orders" };

    private readonly ClientErrors errors = new(Kafka);

    [Fact]
    public void nothing_that_comes_is_told_with_its_cause()
    {
        errors.OnLog(new LogMessage("client", SyslogLevel.Error, "FAIL",
            "[thrd:broker.example:9092/bootstrap]: broker.example:9092/bootstrap: "
            + "Connect to ipv4#10.0.0.1:9092 failed: Connection refused (after 1ms in state CONNECT)"));
        Assert.Contains("nothing answers at broker.example:9092", Failure().Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void or_else_with_the_place_in_the_topic() =>
        Assert.Contains("nothing came of topic 'orders', partition 3, from offset 17 on", Failure().Problem, StringComparison.Ordinal);

    [Fact]
    public void a_stop_does_not_wait_for_it()
    {
        using var consumer = NewConsumer();
        var client = new ReadingClient(consumer, errors);
        client.Begin(new TopicPartition("orders", 3), 17);
        Assert.Throws<OperationCanceledException>(() => client.Next(new CancellationToken(canceled: true)));
    }

    /// <summary>One partition's records are no sign that another's leader is there.</summary>
    [Fact]
    public void what_comes_of_a_partition_that_is_done_does_not_stretch_the_wait_for_another()
    {
        using var consumer = System.Reflection.DispatchProxy.Create<IConsumer<byte[], byte[]>, Busy>();
        var client = new ReadingClient(consumer, errors);
        client.Begin([new("orders", 0, 9), new("orders", 1, 17)]);
        Assert.Equal(0, client.Next(CancellationToken.None).Partition.Value);
        client.End(0);
        var failure = Assert.ThrowsAny<KafkaException>(() => client.Next(TimeSpan.Zero, CancellationToken.None));
        Assert.Contains("partition 1, from offset 17 on", FailurePolicy.Judge(failure).Problem, StringComparison.Ordinal);
    }

    private FailureVerdict Failure()
    {
        using var consumer = NewConsumer();
        var client = new ReadingClient(consumer, errors);
        client.Begin(new TopicPartition("orders", 3), 17);
        var verdict = FailurePolicy.Judge(Assert.ThrowsAny<KafkaException>(() => client.Next(TimeSpan.Zero, CancellationToken.None)));
        Assert.Equal(FailureAction.Retry, verdict.Action);
        return verdict;
    }

    private static IConsumer<byte[], byte[]> NewConsumer() =>
        new ConsumerBuilder<byte[], byte[]>(new ConsumerConfig { BootstrapServers = Kafka.Brokers, GroupId = "g" })
            .SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { }).Build();

    /// <summary>A consumer to which partition 0 always has something to give.</summary>
    public class Busy : System.Reflection.DispatchProxy
    {
        protected override object? Invoke(System.Reflection.MethodInfo? method, object?[]? args) =>
            method!.Name == "Consume" ? new ConsumeResult<byte[], byte[]> { Topic = "orders", Partition = 0, Offset = 9 } : null;
    }
}
