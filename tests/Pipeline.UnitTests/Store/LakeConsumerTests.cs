using OrdersStream.Configuration;
using OrdersStream.Store;

namespace OrdersStream.UnitTests.Store;

public sealed class LakeConsumerTests
{
    /// <summary>Another instance stored it meanwhile, and has got it since.</summary>
    [Fact]
    public void to_go_on_elsewhere_in_a_partition_that_is_gone_is_no_failure()
    {
        var options = new PipelineOptions { Kafka = new KafkaOptions { Brokers = "127.0.0.1:1", Topic = "orders" } };
        using var consumer = new LakeConsumer(options, clientId: null, () => { }, _ => 0, (_, _) => { });
        consumer.Take([1]);
        Assert.Null(Record.Exception(() => consumer.Seek(0, 5)));
    }
}
