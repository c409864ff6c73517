using Confluent.Kafka;
using OrdersStream.Configuration;
using OrdersStream.Kafka;
using OrdersStream.Kafka.Native;

namespace OrdersStream.UnitTests.Kafka;

/// <summary>An update of Confluent.Kafka that looks different inside slows the product down and nothing else; here it is noticed.</summary>
public sealed class LibrdkafkaTests
{
    private static readonly KafkaOptions Options = new() { Brokers = "127.0.0.1:1", Topic = "orders" };

    [Fact]
    public void the_pinned_package_is_as_it_is_known_here()
    {
        using var producer = NewProducer();
        using var consumer = new ConsumerBuilder<byte[], byte[]>(new ConsumerConfig { BootstrapServers = Options.Brokers, GroupId = "g" })
            .SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { }).Build();
        Assert.NotNull(Librdkafka.Of(producer.Handle, Options));
        Assert.NotNull(Librdkafka.Of(consumer.Handle, Options));
    }

    [Fact]
    public void a_handle_that_shows_no_native_client_is_no_failure() => Assert.Null(Librdkafka.Of(new Handle(), Options));

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void a_record_without_headers_is_sent_without_a_copy_where_the_package_is_known(bool inPlace)
    {
        const int Records = 5_000, Bytes = 100;
        var memory = GC.AllocateArray<byte>(Records * Bytes, pinned: true);
        using (var producer = NewProducer())
        {
            using var sender = new RecordSender(producer, Options with { RecordsInPlace = inPlace }, partitions: 4);
            // What is made once, for the first of them.
            Send(sender, memory, 1_000);
            var before = GC.GetAllocatedBytesForCurrentThread();
            Send(sender, memory, Records);
            var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            if (inPlace) Assert.InRange(allocated, 0, Records);
            else Assert.InRange(allocated, Records * Bytes, long.MaxValue);
        }
        // The client reads from it until it is gone.
        GC.KeepAlive(memory);

        static void Send(RecordSender sender, byte[] memory, int records)
        {
            for (var i = 0; i < records; i++)
            {
                var record = memory.AsSpan(i * Bytes, Bytes);
                sender.Send(i % 4, record[..8], record[8..], headers: null);
            }
            sender.Flush();
        }
    }

    // It has nobody to send to.
    private static IProducer<byte[], byte[]> NewProducer() =>
        new ProducerBuilder<byte[], byte[]>(new ProducerConfig { BootstrapServers = Options.Brokers, EnableDeliveryReports = false })
            .SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { }).Build();
}
