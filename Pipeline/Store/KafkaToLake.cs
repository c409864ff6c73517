using Microsoft.Extensions.Logging;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.Lake.Files;
using OrdersStream.Rows;

namespace OrdersStream.Store;

/// <summary>What became of one batch.</summary>
/// <param name="Rows">Rows written to Parquet.</param>
/// <param name="Quarantined">Records put into quarantine.</param>
/// <param name="AlreadyStored">Records below the log's next offset: redelivered, dropped.</param>
/// <param name="Files">Parquet files that became visible.</param>
/// <param name="Bytes">Their size on disk.</param>
/// <param name="Duration">Time for the whole batch.</param>
public sealed record BatchResult(long Rows, long Quarantined, long AlreadyStored, int Files, long Bytes, TimeSpan Duration)
{
    /// <summary>Age of its oldest record when it was committed; null: nothing of it has a time.</summary>
    public TimeSpan? Lag { get; init; }

    public static BatchResult Nothing { get; } = new(0, 0, 0, 0, 0, TimeSpan.Zero);

    public static BatchResult operator +(BatchResult left, BatchResult right) => new(
        left.Rows + right.Rows, left.Quarantined + right.Quarantined, left.AlreadyStored + right.AlreadyStored,
        left.Files + right.Files, left.Bytes + right.Bytes, left.Duration + right.Duration)
    {
        Lag = left.Lag > right.Lag || right.Lag is null ? left.Lag : right.Lag,
    };
}

/// <summary>How a drain of the topic ended.</summary>
public enum TopicDrain
{
    /// <summary>All that was there is in the lake.</summary>
    Done,
    /// <summary>Records wait for the rest of their page, which did not come; all else is.</summary>
    PageUnfinished,
    /// <summary>A transaction that does not end hides what lies behind it; all else is.</summary>
    EndHidden,
    /// <summary>It was told to end before all was.</summary>
    BrokenOff,
}

/// <summary>Where a drain ends.</summary>
/// <param name="Ends">How far each partition is read.</param>
/// <param name="HiddenPatience">How long the end of a transaction is waited for that hides what is there.</param>
internal sealed record DrainLimits(IReadOnlyDictionary<int, long> Ends, TimeSpan HiddenPatience);

/// <summary>What the storing half asks of its surroundings.</summary>
/// <param name="OpenTopicAsync">Makes sure of the topic, and names its identity: known only once the brokers answer.</param>
/// <param name="TopicEndsAsync">The end of all that was sent, of each partition.</param>
/// <param name="PresentSchemaAsync">
/// The table's schema as it is now, for topics whose records name none; null where Postgres cannot be asked.
/// </param>
/// <param name="OpenFiles">What lies at a location of the configuration: the lake, the commit log.</param>
/// <param name="HiddenEndsAsync">What open transactions hide of the topic.</param>
/// <param name="LookAtTopicAsync">Called after each batch; whether anything is to be looked at again it knows itself.</param>
/// <param name="GroupMembersAsync">Who reads the topic in the consumer group; null: nobody can be asked.</param>
public sealed record StoreSurroundings(
    Func<CancellationToken, Task<TopicAccess>> OpenTopicAsync,
    Func<CancellationToken, Task<IReadOnlyList<long>>> TopicEndsAsync,
    Func<CancellationToken, Task<TableSchema>>? PresentSchemaAsync,
    Func<string, ILakeFiles> OpenFiles,
    Func<CancellationToken, Task<IReadOnlyList<HiddenEnd>>> HiddenEndsAsync,
    Func<CancellationToken, Task>? LookAtTopicAsync = null,
    Func<CancellationToken, Task<IReadOnlyList<GroupMember>>>? GroupMembersAsync = null);

/// <summary>
/// The storing half: decode -> drop what is stored -> write -> commit. Records are delivered to it (<see cref="StoreAsync"/>), or
/// it reads them by a consumer of its own (<see cref="ConsumeAsync"/>, <see cref="DrainAsync"/>). One instance serves one process,
/// one batch at a time of each way; it keeps what it knows of the lake between delivered batches, and any failure ends that.
/// </summary>
public sealed class KafkaToLake(
    PipelineOptions options, StoreSurroundings surroundings, TimeProvider time, CrashPoints crashPoints, PipelineMetrics metrics,
    ILogger logger) : IDisposable
{
    private readonly SemaphoreSlim oneAtATime = new(1);
    private readonly ConsumerPace pace = new();
    private readonly HiddenEndWatch hiddenEnds = new(surroundings.HiddenEndsAsync, options.Kafka.Topic, time, logger);
    private readonly GroupWatch group = new(surroundings.GroupMembersAsync, options.Kafka.EffectiveGroupId, time, logger);
    private readonly LakeNotices notices = new(logger);
    private readonly LakeOwner owner = new(
        surroundings.OpenFiles(options.Datalake.Path), surroundings.OpenFiles(options.Streaming.CheckpointLocation), time);
    private LakeBatch? delivered;
    private volatile BatchResult? last;

    /// <summary>Called with every batch that its own consumer brought into the lake.</summary>
    public Action<BatchResult>? Stored { get; set; }

    /// <summary>The last batch that came into the lake; null: none did.</summary>
    public BatchResult? Last => last;

    /// <summary>Records that its own consumer has read and that wait for their commit.</summary>
    public long Waiting => pace.Waiting;

    /// <summary>
    /// Stores one delivered batch: any mix of partitions, each in offset order, gaps allowed, redelivery allowed.
    /// On return every record is durable in the lake, as a row or in quarantine.
    /// </summary>
    /// <exception cref="Exception">
    /// Whatever failed; <see cref="FailurePolicy"/> says what to do about it. The batch must be delivered again.
    /// </exception>
    public async Task<BatchResult> StoreAsync(IReadOnlyList<StreamRecord> records, CancellationToken cancellationToken)
    {
        await oneAtATime.WaitAsync(cancellationToken);
        try
        {
            delivered ??= await OpenBatchAsync(cancellationToken);
            delivered.PartitionsCome();
            delivered.CheckWhenDue(TimeSpan.FromSeconds(options.Streaming.BatchInterval));
            var stored = await DeliveredBatch.StoreAsync(delivered, records, time, cancellationToken);
            if (stored.Rows > 0) last = stored;
            LookAtTopic(cancellationToken);
            return stored;
        }
        catch
        {
            // What this process believes may be stale now; the commit log and the topic are not.
            delivered = null;
            throw;
        }
        finally
        {
            oneAtATime.Release();
        }
    }

    /// <summary>
    /// Reads the topic by a consumer of its own and stores batch after batch until it is cancelled; what was
    /// collected by then is stored too. Blocks the caller's thread: the client waits by blocking.
    /// </summary>
    /// <param name="partitions">Null: those that the group assigns. Else these, at once: joining a group takes seconds.</param>
    /// <param name="retries">What is done about errors that the client recovers from by itself; notified too when the half works.</param>
    /// <param name="cancellationToken">Ends it when what is under way is stored.</param>
    /// <exception cref="Exception">Whatever failed: the next one begins where the lake ends.</exception>
    public Task ConsumeAsync(IReadOnlyList<int>? partitions, Retries retries, CancellationToken cancellationToken) =>
        RunSessionAsync(partitions, null, retries, cancellationToken);

    /// <summary>
    /// The same until all that is in the topic when it is called is in the lake; what is being committed just then is waited for.
    /// </summary>
    /// <param name="hiddenPatience">How long the end of a transaction is waited for that hides what is there.</param>
    /// <param name="retries">As above.</param>
    /// <param name="cancellationToken">As above.</param>
    public async Task<TopicDrain> DrainAsync(TimeSpan hiddenPatience, Retries retries, CancellationToken cancellationToken)
    {
        var ends = (await surroundings.TopicEndsAsync(cancellationToken)).Select((end, partition) => (partition, end)).ToDictionary();
        return await RunSessionAsync([.. ends.Keys], new(ends, hiddenPatience), retries, cancellationToken);
    }

    public void Dispose() => oneAtATime.Dispose();

    /// <summary>A batch of its own, kept apart from others by the commit log, like those of two processes.</summary>
    /// <exception cref="PipelineException">Lake or checkpoint belong to another topic, or the lake is not there.</exception>
    internal async Task<LakeBatch> OpenBatchAsync(CancellationToken cancellationToken, bool readsInOrder = false)
    {
        var topic = await surroundings.OpenTopicAsync(cancellationToken);
        await owner.ClaimAsync(topic.Identity, token => BeginsAsync(topic, token), cancellationToken);
        var context = new StoreContext(options, topic, owner, notices, surroundings, time, crashPoints, metrics, logger);
        return new LakeBatch(context, readsInOrder);
    }

    private async Task<IReadOnlyList<long>> BeginsAsync(TopicAccess topic, CancellationToken cancellationToken)
    {
        var begins = new List<long>();
        for (var partitions = (await surroundings.TopicEndsAsync(cancellationToken)).Count; begins.Count < partitions;)
            begins.Add((await topic.OffsetsAsync(begins.Count, cancellationToken)).Low);
        return begins;
    }

    private async Task<TopicDrain> RunSessionAsync(
        IReadOnlyList<int>? partitions, DrainLimits? drain, Retries retries, CancellationToken cancellationToken)
    {
        var batch = await OpenBatchAsync(cancellationToken, readsInOrder: true);
        var session = new ConsumerSession(options, batch, owner, drain, hiddenEnds, group, pace, retries, time, crashPoints, OnStored);
        return await session.RunAsync(partitions, cancellationToken);

        void OnStored(BatchResult batchResult)
        {
            if (batchResult.Rows > 0) last = batchResult;
            Stored?.Invoke(batchResult);
            LookAtTopic(cancellationToken);
        }
    }

    // Nobody waits for it: what it finds is said, and changes nothing of what is stored.
    private void LookAtTopic(CancellationToken cancellationToken) => _ = surroundings.LookAtTopicAsync?.Invoke(cancellationToken);
}
