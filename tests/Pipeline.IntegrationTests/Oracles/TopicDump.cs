using System.Text;
using Confluent.Kafka;
using OrdersStream.Kafka;

namespace OrdersStream.IntegrationTests.Oracles;

/// <summary>What a reader of committed records finds in the topic, up to its present end.</summary>
public sealed record TopicDump(IReadOnlyList<StreamRecord> Records)
{
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(30);

    /// <param name="brokers">Bootstrap address.</param>
    /// <param name="topic">It is there already.</param>
    /// <param name="from">Where to begin, per partition; a partition that is not in it is read from its beginning.</param>
    public static TopicDump Read(string brokers, string topic, IReadOnlyDictionary<int, long>? from = null)
    {
        using var consumer = new ConsumerBuilder<byte[], byte[]>(new ConsumerConfig
        {
            BootstrapServers = brokers,
            GroupId = "topic-dump",
            IsolationLevel = IsolationLevel.ReadCommitted,
            EnableAutoCommit = false,
            EnablePartitionEof = true,
            FetchWaitMaxMs = 50,
        }).SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { }).Build();
        using var admin = new DependentAdminClientBuilder(consumer.Handle).Build();
        var partitions = admin.GetMetadata(topic, AnswerTimeout).Topics.Single().Partitions;
        consumer.Assign(partitions.Select(p => new TopicPartitionOffset(
            topic, p.PartitionId, from is not null && from.TryGetValue(p.PartitionId, out var offset) ? offset : Offset.Beginning)));

        var records = new List<StreamRecord>();
        for (var open = partitions.Count; open > 0;)
        {
            var result = consumer.Consume(AnswerTimeout)
                ?? throw new TimeoutException($"reading {topic}: {records.Count} records, {open} of {partitions.Count} partitions not at their end after {AnswerTimeout}");
            if (result.IsPartitionEOF) open--;
            else records.Add(StreamRecords.From(result));
        }
        return new TopicDump(records);
    }

    /// <summary>Key and value of each record.</summary>
    public IEnumerable<(string? Key, string? Value)> Texts => Records.Select(r => (Text(r.Key), Text(r.Value)));

    /// <summary>A value is the whole row with its timestamp: the same one twice is a row version published twice (invariant 2).</summary>
    public void ShouldHoldEachRowVersionOnce() =>
        Assert.Empty(Texts.GroupBy(r => r).Where(g => g.Count() > 1).Select(g => $"{g.Count()} x {g.Key}"));

    private static string? Text(byte[]? bytes) => bytes is null ? null : Encoding.UTF8.GetString(bytes);
}
