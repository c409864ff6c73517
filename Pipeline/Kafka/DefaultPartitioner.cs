using System.Buffers.Binary;

namespace OrdersStream.Kafka;

/// <summary>
/// The partition that Kafka's own clients pick for a key: murmur2 of the key's bytes, made positive, modulo the number
/// of partitions. Done here, since a partition given by the caller is far cheaper for the client than one it works out.
/// </summary>
public static class DefaultPartitioner
{
    public static int Partition(ReadOnlySpan<byte> key, int partitions) => (int)((Murmur2(key) & 0x7fffffff) % (uint)partitions);

    internal static uint Murmur2(ReadOnlySpan<byte> data)
    {
        const uint m = 0x5bd1e995;
        var h = 0x9747b28c ^ (uint)data.Length;
        while (data.Length >= 4)
        {
            var k = BinaryPrimitives.ReadUInt32LittleEndian(data) * m;
            k ^= k >> 24;
            h = (h * m) ^ (k * m);
            data = data[4..];
        }
        if (data.Length == 3) h ^= (uint)data[2] << 16;
        if (data.Length >= 2) h ^= (uint)data[1] << 8;
        if (data.Length >= 1) h = (h ^ data[0]) * m;
        h ^= h >> 13;
        h *= m;
        return h ^ (h >> 15);
    }
}
