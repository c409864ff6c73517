using System.Text;
using CsCheck;
using OrdersStream.Kafka;

namespace OrdersStream.UnitTests.Kafka;

public sealed class DefaultPartitionerTests
{
    // Values that Kafka's own clients give.
    [Theory]
    [InlineData("21", -973932308)]
    [InlineData("foobar", -790332482)]
    [InlineData("abc", 479470107)]
    [InlineData("a-little-bit-long-string", -985981536)]
    [InlineData("a-little-bit-longer-string", -1486304829)]
    [InlineData("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971)]
    public void a_key_hashes_as_in_other_clients(string key, int expected) =>
        Assert.Equal(expected, (int)DefaultPartitioner.Murmur2(Encoding.UTF8.GetBytes(key)));

    [Fact]
    public void a_partition_is_always_one_of_the_topic() =>
        Gen.Select(Gen.Byte.Array, Gen.Int[1, 1000]).Sample((key, partitions) =>
            DefaultPartitioner.Partition(key, partitions) is var p && p >= 0 && p < partitions);
}
