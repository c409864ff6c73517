using Confluent.Kafka;
using OrdersStream.Demo.Servers;
using OrdersStream.TestKit;

namespace OrdersStream.IntegrationTests.Demo;

public sealed class EmbeddedBrokerTests
{
    [Fact]
    public async Task what_one_client_sends_another_reads()
    {
        using var broker = EmbeddedBroker.Start(TestContext.Current.CancellationToken);
        using var producer = new ProducerBuilder<string, string>(new ProducerConfig { BootstrapServers = broker.BootstrapServers }).Build();
        var sent = await producer.ProduceAsync(
            "t", new Message<string, string> { Key = "k", Value = "v" }, TestContext.Current.CancellationToken);
        using var consumer = new ConsumerBuilder<string, string>(
            new ConsumerConfig { BootstrapServers = broker.BootstrapServers, GroupId = "g" }).Build();
        consumer.Assign(new TopicPartitionOffset(sent.TopicPartition, 0));
        Assert.Equal("v", consumer.Consume(Waiting.Patience)?.Message.Value);
    }

    [Fact]
    public void two_brokers_do_not_meet()
    {
        using var one = EmbeddedBroker.Start(TestContext.Current.CancellationToken);
        using var two = EmbeddedBroker.Start(TestContext.Current.CancellationToken);
        Assert.NotEqual(one.BootstrapServers, two.BootstrapServers);
    }
}
