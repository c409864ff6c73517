using System.Text;
using Confluent.Kafka;
using OrdersStream.Kafka;

namespace OrdersStream.TestKit.Oracles;

/// <summary>What a reader of committed records finds in the topic, up to its present end.</summary>
public sealed record TopicDump(IReadOnlyList<StreamRecord> Records)
{
    /// <summary>
    /// A commit that is answered becomes visible a moment later. What stays hidden for longer belongs to a transaction that nobody ended.
    /// </summary>
    private static readonly TimeSpan VisibleAfter = TimeSpan.FromSeconds(30);

    /// <param name="brokers">Bootstrap address.</param>
    /// <param name="topic">It is there already.</param>
    /// <param name="from">Where to begin, per partition; a partition that is not in it is read from its beginning.</param>
    public static TopicDump Read(string brokers, string topic, IReadOnlyDictionary<int, long>? from = null)
    {
        using var consumer = Consumer(brokers, IsolationLevel.ReadCommitted);
        using var admin = new DependentAdminClientBuilder(consumer.Handle).Build();
        var partitions = admin.GetMetadata(topic, Waiting.Patience).Topics.Single().Partitions.Select(p => p.PartitionId).ToList();
        var ends = Ends(brokers, topic, partitions);
        consumer.Assign(
            partitions.Select(
                p => new TopicPartitionOffset(
                    topic, p, from is not null && from.TryGetValue(p, out var offset) ? offset : Offset.Beginning)));

        var records = new List<StreamRecord>();
        var (open, hidden) = (partitions.ToHashSet(), new HashSet<int>());
        while (open.Count > 0)
        {
            var result = consumer.Consume(open.SetEquals(hidden) ? VisibleAfter : Waiting.Patience);
            if (result is null && open.SetEquals(hidden)) break;
            if (result is null)
                throw new TimeoutException(
                    $"reading {topic}: {records.Count} records, {open.Count} of {partitions.Count} partitions not at their end after "
                    + $"{Waiting.Patience}");
            if (!result.IsPartitionEOF) records.Add(StreamRecord.From(result));
            else if (result.Offset.Value < ends[result.Partition.Value]) hidden.Add(result.Partition.Value);
            else open.Remove(result.Partition.Value);
            hidden.IntersectWith(open);
        }
        return new TopicDump(records);
    }

    /// <summary>The end of each partition, committed or not.</summary>
    private static Dictionary<int, long> Ends(string brokers, string topic, List<int> partitions)
    {
        using var consumer = Consumer(brokers, IsolationLevel.ReadUncommitted);
        return partitions.ToDictionary(
            p => p, p => consumer.QueryWatermarkOffsets(new TopicPartition(topic, p), Waiting.Patience).High.Value);
    }

    private static IConsumer<byte[], byte[]> Consumer(string brokers, IsolationLevel isolation) =>
        new ConsumerBuilder<byte[], byte[]>(new ConsumerConfig
        {
            BootstrapServers = brokers,
            GroupId = "topic-dump",
            IsolationLevel = isolation,
            EnableAutoCommit = false,
            EnablePartitionEof = true,
            FetchWaitMaxMs = 50,
        }).SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { }).Build();

    /// <summary>Key and value of each record.</summary>
    public IEnumerable<(string? Key, string? Value)> Texts => Records.Select(r => (Text(r.Key), Text(r.Value)));

    /// <summary>
    /// A value is the whole row with its timestamp: the same one twice is a row version published twice (invariant 2). A fence is no row.
    /// </summary>
    /// <param name="serverStarts">
    /// How often Postgres was started anew: what was written shortly before, and is no more proven to be what was captured, comes again.
    /// </param>
    public void ShouldHoldEachRowVersionOnce(int serverStarts = 0) => Assert.Empty(
        Texts.Where(r => r != (null, null)).GroupBy(r => r).Where(g => g.Count() > 1 + serverStarts).Select(g => $"{g.Count()} x {g.Key}"));

    private static string? Text(byte[]? bytes) => bytes is null ? null : Encoding.UTF8.GetString(bytes);
}
