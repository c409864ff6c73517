using System.Diagnostics;
using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace OrdersStream.Benchmarks.Running;

/// <summary>How far a topic has got, for readers of committed records, without reading it.</summary>
internal sealed class TopicLook(string brokers, string topic, int partitions) : IDisposable
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly IAdminClient admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = brokers })
        .SetLogHandler((_, _) => { }).Build();
    private bool exists;

    /// <summary>Seconds from a moment to the first committed record; null when it did not come.</summary>
    public async Task<double?> FirstAsync(long since, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(Tick);
        try
        {
            while (await EndAsync() == 0) await timer.WaitForNextTickAsync(cancellationToken);
            return Stopwatch.GetElapsedTime(since).TotalSeconds;
        }
        catch (OperationCanceledException)
        {
            return null;
        }
    }

    /// <summary>The sum of the partitions' ends: records, and a marker for each partition and transaction.</summary>
    public async Task<long> EndAsync()
    {
        // By name, the question itself would create the topic on many brokers.
        exists = exists
            || await Task.Run(() => admin.GetMetadata(Patience).Topics.Any(t => t.Topic == topic && t.Partitions.Count == partitions));
        if (!exists) return 0;
        try
        {
            var ends = await admin.ListOffsetsAsync(
                Enumerable.Range(0, partitions)
                    .Select(p => new TopicPartitionOffsetSpec { TopicPartition = new(topic, p), OffsetSpec = OffsetSpec.Latest() }),
                new ListOffsetsOptions { IsolationLevel = IsolationLevel.ReadCommitted, RequestTimeout = Patience });
            return ends.ResultInfos.Sum(r => r.TopicPartitionOffsetError.Offset.Value);
        }
        catch (ListOffsetsException)
        {
            // A partition without a leader yet.
            return 0;
        }
    }

    public void Dispose() => admin.Dispose();
}
