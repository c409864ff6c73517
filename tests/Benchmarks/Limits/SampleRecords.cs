using Confluent.Kafka;
using OrdersStream.Kafka;

namespace OrdersStream.Benchmarks.Limits;

/// <summary>The first records of a topic, kept in a file for those who are to produce the same.</summary>
internal static class SampleRecords
{
    private const int Count = 50_000;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    public static void Write(string file, string brokers, string topic, int partitions)
    {
        using var consumer = ConsumeLimit.NewConsumer(brokers, topic);
        consumer.Assign(Enumerable.Range(0, partitions).Select(p => new TopicPartitionOffset(topic, p, Offset.Beginning)));
        using var writer = new BinaryWriter(File.Create(file));
        for (var (records, ends) = (0, 0); records < Count && ends < partitions;)
        {
            var result = consumer.Consume(Patience) ?? throw new BenchmarkException($"no record came for {Patience.TotalSeconds} s");
            if (result.IsPartitionEOF)
            {
                ends++;
                continue;
            }
            // A fence of a publisher without transactions.
            if (result.Message.Value is null) continue;
            writer.Write(result.Partition.Value);
            Write(writer, result.Message.Key);
            Write(writer, result.Message.Value);
            records++;
        }
    }

    public static List<StreamRecord> Read(string file)
    {
        var records = new List<StreamRecord>(Count);
        using var reader = new BinaryReader(File.OpenRead(file));
        while (reader.BaseStream.Position < reader.BaseStream.Length)
            records.Add(new(reader.ReadInt32(), records.Count, reader.ReadBytes(reader.ReadInt32()), reader.ReadBytes(reader.ReadInt32())));
        return records;
    }

    private static void Write(BinaryWriter writer, byte[] bytes)
    {
        writer.Write(bytes.Length);
        writer.Write(bytes);
    }
}
