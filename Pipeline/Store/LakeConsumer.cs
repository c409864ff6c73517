using System.Runtime.ExceptionServices;
using Confluent.Kafka;
using OrdersStream.Configuration;
using OrdersStream.Kafka;
using OrdersStream.Kafka.Native;

namespace OrdersStream.Store;

/// <summary>
/// The consumer of the storing half. Where reading begins is told by the lake, not by the group: what the group knows is for
/// lag monitors.
/// </summary>
internal sealed class LakeConsumer : IDisposable
{
    /// <summary>What the client's log calls it.</summary>
    private const string ConnectionEnded = "FAIL";

    private static readonly TimeSpan ClosePatience = TimeSpan.FromSeconds(3);

    private readonly IConsumer<byte[], byte[]> consumer;
    private readonly RecordReader records;
    private readonly string topic;
    private readonly Action assigning;
    private readonly Func<int, long> nextOffset;
    private readonly ClientErrors errors;
    private Error? error;
    private volatile bool isDisturbed;
    private volatile bool hasMoved;
    private bool closing;
    private ExceptionDispatchInfo? rebalance;

    /// <param name="options">The pipeline's.</param>
    /// <param name="clientId">What the brokers and the group are to call it; null: as every client.</param>
    /// <param name="assigning">Called before it is asked where partitions begin.</param>
    /// <param name="nextOffset">The lake's next offset of a partition.</param>
    /// <param name="revoking">Called before partitions go to another instance.</param>
    public LakeConsumer(
        PipelineOptions options, string? clientId, Action assigning, Func<int, long> nextOffset,
        Action<LakeConsumer, IReadOnlyList<int>> revoking)
    {
        (this.assigning, this.nextOffset) = (assigning, nextOffset);
        topic = options.Kafka.Topic;
        errors = new ClientErrors(options.Kafka);
        consumer = new ConsumerBuilder<byte[], byte[]>(ConfigOf(options, clientId))
            .WithTokens(options.Kafka, errors)
            .SetLogHandler((_, line) =>
            {
                if (line.Facility == ConnectionEnded) isDisturbed = true;
                errors.OnLog(line);
            })
            .SetErrorHandler((_, e) => OnError(e))
            .SetPartitionsAssignedHandler((_, partitions) =>
            {
                hasMoved = true;
                var begins = partitions.Select(p => new TopicPartitionOffset(p, Confluent.Kafka.Offset.Unset)).ToList();
                Try(() => begins = StartsOf(partitions));
                return begins;
            })
            .SetPartitionsRevokedHandler((_, partitions) =>
            {
                hasMoved = true;
                if (!closing) Try(() => revoking(this, [.. partitions.Select(p => p.Partition.Value)]));
            })
            .SetPartitionsLostHandler((_, _) => { })
            .Build();
        records = new RecordReader(consumer, options.Kafka);
    }

    public int Partition => records.Partition;
    public long Offset => records.Offset;

    /// <summary>Not a record, but the end of <see cref="Partition"/>.</summary>
    public bool IsPartitionEnd => records.IsPartitionEnd;

    internal static ConsumerConfig ConfigOf(PipelineOptions options, string? clientId)
    {
        var config = KafkaClients.Reader(options, options.Kafka.EffectiveGroupId);
        if (clientId is not null) config.ClientId = clientId;
        config.PartitionAssignmentStrategy = PartitionAssignmentStrategy.CooperativeSticky;
        config.EnableAutoCommit = true;
        // Who adds and removes instances by the group's lag would see a stored backlog for as long.
        config.AutoCommitIntervalMs = 1_000;
        // How long the partitions of a member that died wait for another.
        config.SessionTimeoutMs = 10_000;
        config.HeartbeatIntervalMs = 3_000;
        return config;
    }

    /// <summary>Shares the partitions with the other members of the group.</summary>
    public void JoinGroup() => consumer.Subscribe(topic);

    /// <summary>Takes these partitions, whoever else reads them: the lake stores each record once all the same.</summary>
    public void Take(IEnumerable<int> partitions) =>
        consumer.Assign(StartsOf(partitions.Select(p => new TopicPartition(topic, p))));

    /// <summary>Steps to the next record or end of a partition, where it has been received already.</summary>
    /// <exception cref="KafkaException">The client reported a failure.</exception>
    public bool TryNext()
    {
        var came = records.TryNext();
        rebalance?.Throw();
        return came;
    }

    /// <summary>Waits for the next one. False: none came in time.</summary>
    /// <exception cref="KafkaException">The client reported a failure that it does not mend by itself.</exception>
    public bool WaitNext(TimeSpan wait)
    {
        var came = records.WaitNext(wait);
        rebalance?.Throw();
        if (came) return true;
        if (error is { } e && !MendsItself(e)) throw errors.FailureOf(e);
        return false;
    }

    /// <summary>Adds the record to a batch.</summary>
    public ValueTask AddToAsync(LakeBatch batch, CancellationToken cancellationToken) =>
        records.IsPlain && batch.TryAdd(records.Partition, records.Offset, records.TimestampMs, records.Key, records.Value)
            ? default
            : batch.AddAsync(records.ToRecord(), cancellationToken);

    /// <summary>
    /// A failure that the client goes on to mend: a consumer made anew would have to wait for its old membership to expire.
    /// </summary>
    public KafkaException? TakeFailure()
    {
        if (Interlocked.Exchange(ref error, null) is not { } e) return null;
        return errors.FailureOf(e);
    }

    /// <summary>A connection ended since the last call: the brokers may be back with less than they had.</summary>
    public bool TakeDisturbance()
    {
        var taken = isDisturbed;
        if (taken) isDisturbed = false;
        return taken;
    }

    /// <summary>Partitions came from other members of the group, or went to them, since the last call.</summary>
    public bool TakeMove()
    {
        var taken = hasMoved;
        if (taken) hasMoved = false;
        return taken;
    }

    /// <summary>The end of all that was sent, as the brokers said with what was read last; negative: not known.</summary>
    public long EndOf(int partition) => consumer.GetWatermarkOffsets(new TopicPartition(topic, partition)).High.Value;

    /// <summary>Goes on elsewhere, unless the partition went to another instance: whoever gets it asks the lake where to begin.</summary>
    public void Seek(int partition, long offset)
    {
        var reading = new TopicPartition(topic, partition);
        if (consumer.Assignment.Contains(reading)) records.Seek(new TopicPartitionOffset(reading, offset));
    }

    /// <summary>
    /// What the group is to hear of how far the lake has got, for lag monitors. It does not wait: the client sends it by and by, and
    /// at the end.
    /// </summary>
    public void StoreOffsets(IEnumerable<(int Partition, long Next)> positions)
    {
        foreach (var (partition, next) in positions)
        {
            try
            {
                consumer.StoreOffset(new TopicPartitionOffset(topic, partition, next));
            }
            catch (KafkaException)
            {
                // The partition went to another instance: it tells its own.
            }
        }
    }

    /// <summary>
    /// Leaves the group, so that the others need not wait for a time-out. The client may wait for a broker that is away for as long as for
    /// any answer: it does so by itself then.
    /// </summary>
    public void Dispose()
    {
        closing = true;
        Task.Run(Close).Wait(ClosePatience);
    }

    private void Close()
    {
        records.Dispose();
        try
        {
            consumer.Close();
        }
        catch (KafkaException)
        {
            // No broker to say goodbye to.
        }
        consumer.Dispose();
    }

    // The client would keep what a handler throws for whichever call of its own comes next, its end among them.
    private void Try(Action handle)
    {
        try
        {
            handle();
        }
        catch (Exception e)
        {
            rebalance ??= ExceptionDispatchInfo.Capture(e);
        }
    }

    private List<TopicPartitionOffset> StartsOf(IEnumerable<TopicPartition> partitions)
    {
        assigning();
        return [.. partitions.Select(p => new TopicPartitionOffset(p, nextOffset(p.Partition.Value)))];
    }

    private static bool MendsItself(Error e) => !e.IsFatal && e.Code == ErrorCode.Local_AllBrokersDown;

    private void OnError(Error e)
    {
        errors.OnError(e);
        if (MendsItself(e)) Interlocked.CompareExchange(ref error, e, null);
        else if (e.IsFatal || KafkaClients.IsRefusal(e)) Interlocked.Exchange(ref error, e);
    }
}
