using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;
using OrdersStream.Lake;

namespace OrdersStream.LocalHost.Loops;

/// <summary>
/// The storing half as a loop over its own consumer: records are collected until batch_interval has passed since the last commit began or a
/// limit is reached, and are then committed to the lake as one batch.
/// </summary>
public sealed class KafkaToLakeLoop(
    LakeOpener lake, TopicAdmin admin, TopicReader topic, FailureJournal journal, PipelineOptions options, TimeProvider time, CrashPoints crashPoints, ILogger<KafkaToLakeLoop> logger)
{
    private static readonly TimeSpan DrainPatience = TimeSpan.FromMinutes(2);

    /// <summary>How long what is under way may take when it is told to stop, the last commit included.</summary>
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(5);

    /// <summary>How long the first record waits for the others of its page at the least: a page becomes visible in one partition after the other.</summary>
    private static readonly TimeSpan PageSpread = TimeSpan.FromMilliseconds(50);

    /// <summary>Intervals for which a backlog is collected at the most.</summary>
    private const double BacklogIntervals = 10;

    /// <summary>The same for the first batch of a run: that something arrives is to be seen soon.</summary>
    private const double FirstBatchIntervals = 1;

    /// <summary>The same for the first batch of a drain: somewhat longer, since what is there is all that comes, so that a small backlog becomes one batch.</summary>
    private const double FirstDrainBatchIntervals = 1.5;

    /// <summary>Records between two looks at the clock and at what is due, while records stream in.</summary>
    private const int RecordsBetweenLooks = 64;

    /// <summary>How long the client may sit without looking at the stop token.</summary>
    private static readonly TimeSpan WaitMax = TimeSpan.FromMilliseconds(100);

    private readonly TimeSpan interval = TimeSpan.FromSeconds(options.Streaming.BatchInterval);

    /// <summary>Told of every batch that is in the lake.</summary>
    public Action<BatchResult>? Stored { get; set; }

    /// <summary>Records that were read and wait for their commit.</summary>
    public long Waiting => Interlocked.Read(ref waiting);

    private long waiting;
    private long? committedAt;

    /// <summary>The last commit failed: that records can be read again says nothing then, and only the next commit ends the trouble.</summary>
    private bool commitFailed;

    /// <summary>Stores until the token is cancelled; what was collected by then is stored too.</summary>
    /// <param name="partitions">Null: those that the group assigns. Else these, at once: joining a group takes seconds.</param>
    /// <exception cref="HalfStoppedException">A human is needed.</exception>
    public Task RunAsync(IReadOnlyList<int>? partitions, CancellationToken cancellationToken) =>
        RepeatAsync(new Retries(nameof(KafkaToLake), journal, time, logger), (retries, c) => RunSessionAsync(partitions, null, retries, c), cancellationToken);

    /// <summary>Stores all that is in the topic when it is called; what is being committed just then is waited for.</summary>
    /// <exception cref="HalfStoppedException">A human is needed, or the trouble did not pass in time.</exception>
    public Task DrainAsync(CancellationToken cancellationToken) =>
        RepeatAsync(new Retries(nameof(KafkaToLake), journal, time, logger, DrainPatience), DrainSessionAsync, cancellationToken);

    /// <summary>One session after the other, until one ends without a failure. Off the caller's thread: the client waits by blocking.</summary>
    private Task RepeatAsync(Retries retries, Func<Retries, CancellationToken, Task> session, CancellationToken cancellationToken) => Task.Run(
        async () =>
        {
            try
            {
                while (!await TrySessionAsync(retries, session, cancellationToken))
                {
                    // The batch was lost with the session and nothing else: the next one begins where the lake ends.
                }
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                // The regular end.
            }
        },
        CancellationToken.None);

    private static async Task<bool> TrySessionAsync(Retries retries, Func<Retries, CancellationToken, Task> session, CancellationToken cancellationToken)
    {
        try
        {
            await session(retries, cancellationToken);
            return true;
        }
        catch (Exception e) when (e is not HalfStoppedException and not OperationCanceledException)
        {
            await retries.AfterFailureAsync(e, cancellationToken);
            return false;
        }
    }

    private async Task DrainSessionAsync(Retries retries, CancellationToken cancellationToken)
    {
        var description = await admin.EnsureAsync(cancellationToken);
        var ends = (await topic.EndsAsync(description.Partitions, cancellationToken)).Select((end, partition) => (partition, end)).ToDictionary();
        await RunSessionAsync([.. ends.Keys], ends, retries, cancellationToken);
    }

    /// <param name="partitions">Null: as the group assigns them.</param>
    /// <param name="ends">Where to end, per partition; null: at the token.</param>
    private async Task RunSessionAsync(IReadOnlyList<int>? partitions, Dictionary<int, long>? ends, Retries retries, CancellationToken cancellationToken)
    {
        using var half = await lake.OpenAsync(cancellationToken);
        // What was read is stored before the end, though the token is cancelled: it is little, and reading it again costs more.
        using var grace = new Grace(cancellationToken, StopPatience);
        var collected = new Collected(half.NewBatch(), ends);
        using var consumer = new LakeConsumer(options, collected.NextOffset, () => CommitAsync(collected, null, retries, CancellationToken.None).GetAwaiter().GetResult());
        if (partitions is null) consumer.JoinGroup();
        else consumer.Take(partitions);

        var reachedEnds = collected.ReachedEnds;
        while (!cancellationToken.IsCancellationRequested && !reachedEnds)
        {
            // Records that are there already are taken without a look at the clock.
            var came = consumer.TryNext() || consumer.WaitNext(collected.IsEmpty ? WaitMax : Within(TimeSpan.Zero, UntilDue(collected), WaitMax));
            if (came && !consumer.IsPartitionEnd)
            {
                await collected.AddAsync(consumer, time, grace.Token);
                if (collected.Records % RecordsBetweenLooks != 0 && !collected.IsFull) continue;
            }
            else if (came) collected.EndReached(consumer.Partition, consumer.Offset);
            if (came && !commitFailed) retries.Succeeded();
            else if (!came && consumer.TakeTrouble() is { } trouble) retries.Note(trouble);
            else retries.StopIfTooLong();
            Interlocked.Exchange(ref waiting, collected.Records);
            if (collected.IsFull || (!collected.IsEmpty && UntilDue(collected) <= TimeSpan.Zero)) await CommitAsync(collected, consumer, retries, grace.Token);
            reachedEnds = collected.ReachedEnds;
        }
        await CommitAsync(collected, consumer, retries, grace.Token);
    }

    private async Task CommitAsync(Collected collected, LakeConsumer? consumer, Retries retries, CancellationToken cancellationToken)
    {
        if (collected.IsEmpty) return;
        commitFailed = true;
        // Counted from here, a commit that takes its time does not make the next one later.
        var begun = time.GetTimestamp();
        var outcome = await collected.Batch.CommitAsync(cancellationToken);
        commitFailed = false;
        committedAt = begun;
        retries.Succeeded();
        Stored?.Invoke(outcome.Result);
        consumer?.Hint(collected.Positions.Where(p => !outcome.Superseded.ContainsKey(p.Partition)));
        crashPoints.Reached(CrashPoint.OffsetHinted);
        foreach (var (partition, next) in outcome.Superseded) consumer?.Seek(partition, next);
        collected.Committed(outcome.Superseded);
    }

    /// <summary>
    /// A trickle is stored an interval after the commit before it, so that what comes after a pause need not wait; a backlog is collected for
    /// longer, until the batch is full or so many intervals have passed, so that its files are few and large.
    /// </summary>
    private TimeSpan UntilDue(Collected collected)
    {
        var waited = time.GetElapsedTime(collected.Since);
        if (collected.IsBehind) return interval * (committedAt is not null ? BacklogIntervals : collected.HasEnds ? FirstDrainBatchIntervals : FirstBatchIntervals) - waited;
        var pause = committedAt is { } at ? interval - time.GetElapsedTime(at) : TimeSpan.Zero;
        return pause > PageSpread - waited ? pause : PageSpread - waited;
    }

    private static TimeSpan Within(TimeSpan least, TimeSpan value, TimeSpan most) => value < least ? least : value > most ? most : value;

    /// <summary>What has been read in this session, and how far.</summary>
    private sealed class Collected(LakeBatch batch, Dictionary<int, long>? ends)
    {
        private readonly Dictionary<int, long> positions = [];
        private readonly HashSet<int> behind = [];
        private int reading = -1;

        public LakeBatch Batch { get; } = batch;
        public long Since { get; private set; }
        public long Records { get; private set; }
        public bool IsEmpty => Records == 0;
        public bool IsFull => Batch.IsFull;
        public bool HasEnds => ends is not null;
        public bool ReachedEnds => ends is not null && ends.All(e => e.Value == 0 || (positions.TryGetValue(e.Key, out var p) && p >= e.Value));

        /// <summary>Some partition has given records since its end was last seen: more is waiting there.</summary>
        public bool IsBehind => behind.Count > 0;

        public IEnumerable<(int Partition, long Next)> Positions => positions.Select(p => (p.Key, p.Value));

        public long NextOffset(int partition) => Batch.NextOffsetAsync(partition, CancellationToken.None).GetAwaiter().GetResult();

        /// <summary>Takes the record that the consumer stands at.</summary>
        public ValueTask AddAsync(LakeConsumer consumer, TimeProvider time, CancellationToken cancellationToken)
        {
            var partition = consumer.Partition;
            if (Records++ == 0) Since = time.GetTimestamp();
            positions[partition] = consumer.Offset + 1;
            if (reading != partition) behind.Add(reading = partition);
            return consumer.AddToAsync(Batch, cancellationToken);
        }

        /// <summary>Behind the last record there may be transaction markers: only the end of the partition tells that nothing else is.</summary>
        public void EndReached(int partition, long offset)
        {
            positions[partition] = Math.Max(offset, positions.GetValueOrDefault(partition));
            behind.Remove(partition);
            reading = -1;
        }

        public void Committed(IReadOnlyDictionary<int, long> superseded)
        {
            Records = 0;
            reading = -1;
            behind.Clear();
            foreach (var (partition, next) in superseded) positions[partition] = next;
        }
    }
}
