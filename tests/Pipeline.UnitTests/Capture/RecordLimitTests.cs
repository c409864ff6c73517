using OrdersStream.Capture;
using OrdersStream.Configuration;
using OrdersStream.Kafka;

namespace OrdersStream.UnitTests.Capture;

public sealed class RecordLimitTests
{
    private const int MiB = 1024 * 1024;
    private static readonly KafkaOptions Kafka = new() { Brokers = "b:9092", Topic = "t" };

    private static TopicSettings Topic(long bytes) =>
        new(new Dictionary<string, string> { ["max.message.bytes"] = $"{bytes}" }, 1);

    [Theory]
    [InlineData(1_048_588, true, 16 * MiB)] // compressed, it may fit: the brokers say
    [InlineData(1_048_588, false, 1_048_588)]
    [InlineData(32 * MiB, true, 32 * MiB)]
    [InlineData(32 * MiB, false, 32 * MiB)]
    [InlineData(200 * MiB, true, 96 * MiB)]
    [InlineData(200 * MiB, false, 96 * MiB)]
    public void the_limit_follows_the_topic_up_to_our_own(long ofTopic, bool isCompressed, long expected) =>
        Assert.Equal(expected, RecordLimit.Of(Topic(ofTopic), isCompressed).Bytes);

    [Theory, InlineData(true), InlineData(false)]
    public void a_topic_that_nobody_can_look_at_is_taken_for_one_of_our_own(bool isCompressed)
    {
        Assert.Equal(16 * MiB, RecordLimit.Of(null, isCompressed).Bytes);
        Assert.Equal(16 * MiB, RecordLimit.Of(TopicSettings.Unknown("x"), isCompressed).Bytes);
    }

    [Fact]
    public void the_remedy_is_the_one_that_helps()
    {
        Assert.Contains(
            "--entity-name t --add-config max.message.bytes=20971520)", RecordLimit.Of(Topic(16 * MiB), true).RemedyFor(20_000_123, Kafka));
        Assert.Contains("max.message.bytes=100663296)", RecordLimit.Of(Topic(16 * MiB), true).RemedyFor(96 * MiB, Kafka));
        Assert.StartsWith("No record of more than 100,663,296", RecordLimit.Of(Topic(200 * MiB), true).RemedyFor(96 * MiB + 1, Kafka));
        Assert.Contains("DESCRIBE_CONFIGS", RecordLimit.Of(null, true).RemedyFor(20_000_123, Kafka));
        Assert.All(
            [20_000_123, 200L * MiB],
            size => Assert.Contains("postgres.too_large to quarantine", RecordLimit.Of(Topic(MiB), true).RemedyFor(size, Kafka)));
    }

    /// <summary>What the topic takes record by record it would else refuse together.</summary>
    [Fact]
    public void a_batch_is_no_larger_than_the_topic_takes_and_no_smaller_than_it_must_be()
    {
        Assert.All([(long?)null, 16 * MiB, 200L * MiB], most => Assert.InRange(KafkaClients.BatchBytesFor(most), MiB - 1024, MiB));
        Assert.All([20_000L, 200_000, 1_048_588], most => Assert.InRange(KafkaClients.BatchBytesFor(most), most - 1024, most - 61));
        Assert.Equal(1, KafkaClients.BatchBytesFor(100));
        Assert.Equal(19_488, KafkaClients.Publisher(new PipelineOptions { Kafka = Kafka }, KafkaClients.BatchBytesFor(20_000)).BatchSize);
    }

    [Fact]
    public void what_is_sent_is_received_too()
    {
        var options = new PipelineOptions { Kafka = Kafka };
        var (publisher, reader) = (KafkaClients.Publisher(options, KafkaClients.BatchBytesFor(null)), KafkaClients.Reader(options, "g"));
        Assert.True(publisher.MessageMaxBytes >= KafkaClients.RecordBytesMax + RecordLimit.Overhead);
        Assert.True(reader.ReceiveMessageMaxBytes > publisher.MessageMaxBytes);
        // What brokers take by default.
        Assert.True(publisher.MessageMaxBytes < 104_857_600);
    }
}
