using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;

namespace OrdersStream.Store;

/// <summary>What outlives a consumer's session: a failure ends the session, and the next one goes on with this.</summary>
internal sealed class ConsumerPace
{
    private long waiting;

    /// <summary>Records that were read and wait for their commit.</summary>
    public long Waiting
    {
        get => Interlocked.Read(ref waiting);
        set => Interlocked.Exchange(ref waiting, value);
    }

    /// <summary>When the last commit began, by the clock's timestamps; null: there was none.</summary>
    public long? CommittedAt { get; set; }

    /// <summary>
    /// The last commit failed: that records can be read again says nothing then, and only the next commit ends the outage.
    /// </summary>
    public bool CommitFailed { get; set; }
}

/// <summary>
/// One consumer from its beginning to its end: records are collected until they are due
/// (<see cref="BatchTiming"/>) or a limit is reached, and are then committed to the lake as one
/// batch; what the consumer holds of a partition is stored before it goes to another instance.
/// </summary>
internal sealed class ConsumerSession(
    PipelineOptions options, LakeBatch batch, IReadOnlyDictionary<int, long>? ends, ConsumerPace pace, Retries retries, TimeProvider time,
    CrashPoints crashPoints, Action<BatchResult> stored)
{
    /// <summary>How long what is under way may take once it is cancelled, the last commit included.</summary>
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(5);

    /// <summary>Records between two checks of the clock and of what is due, while records stream in.</summary>
    private const int RecordsBetweenChecks = 64;

    /// <summary>How long the client may wait without a check of the stop token.</summary>
    private static readonly TimeSpan WaitMax = TimeSpan.FromMilliseconds(100);

    private readonly CollectedOffsets collected = new(ends);
    private readonly BatchTiming timing = new(TimeSpan.FromSeconds(options.Streaming.BatchInterval), isDrain: ends is not null);
    private long since;

    private bool IsEmpty => collected.Records == 0;

    /// <param name="partitions">Null: as the group assigns them.</param>
    /// <param name="cancellationToken">Ends it when what was collected is stored.</param>
    public async Task RunAsync(IReadOnlyList<int>? partitions, CancellationToken cancellationToken)
    {
        // What was read is stored before the end, though the token is cancelled: it is little, and reading it again costs more.
        using var gracePeriod = new GracePeriod(cancellationToken, StopPatience);
        using var consumer = new LakeConsumer(
            options, NextOffset, () => CommitAsync(null, CancellationToken.None).GetAwaiter().GetResult());
        if (partitions is null) consumer.JoinGroup();
        else consumer.Take(partitions);

        var reachedEnds = collected.ReachedEnds;
        while (!cancellationToken.IsCancellationRequested && !reachedEnds)
        {
            // Records that are there already are taken without reading the clock.
            var came = consumer.TryNext() || consumer.WaitNext(IsEmpty ? WaitMax : Within(TimeSpan.Zero, UntilDue(), WaitMax));
            if (came && !consumer.IsPartitionEnd)
            {
                if (IsEmpty) since = time.GetTimestamp();
                collected.Added(consumer.Partition, consumer.Offset);
                await consumer.AddToAsync(batch, gracePeriod.Token);
                if (collected.Records % RecordsBetweenChecks != 0 && !batch.IsFull) continue;
            }
            else if (came) collected.EndReached(consumer.Partition, consumer.Offset);
            ReportHealth(consumer, came);
            pace.Waiting = collected.Records;
            if (batch.IsFull || (!IsEmpty && UntilDue() <= TimeSpan.Zero)) await CommitAsync(consumer, gracePeriod.Token);
            reachedEnds = collected.ReachedEnds;
        }
        await CommitAsync(consumer, gracePeriod.Token);
    }

    private void ReportHealth(LakeConsumer consumer, bool came)
    {
        if (came && !pace.CommitFailed) retries.Succeeded();
        else if (!came && consumer.TakeFailure() is { } error) retries.Note(error);
        else retries.StopIfTooLong();
    }

    private async Task CommitAsync(LakeConsumer? consumer, CancellationToken cancellationToken)
    {
        if (IsEmpty) return;
        pace.CommitFailed = true;
        // Counted from here, a commit that takes its time does not make the next one later.
        var begun = time.GetTimestamp();
        var outcome = await batch.CommitAsync(cancellationToken);
        pace.CommitFailed = false;
        pace.CommittedAt = begun;
        retries.Succeeded();
        stored(outcome.Result);
        consumer?.StoreOffsets(collected.Positions.Where(p => !outcome.Superseded.ContainsKey(p.Partition)));
        crashPoints.Reached(CrashPoint.OffsetsStored);
        foreach (var (partition, next) in outcome.Superseded) consumer?.Seek(partition, next);
        collected.Committed(outcome.Superseded);
    }

    private TimeSpan UntilDue() =>
        timing.UntilDue(time.GetElapsedTime(since), pace.CommittedAt is { } at ? time.GetElapsedTime(at) : null, collected.IsBehind);

    private long NextOffset(int partition) => batch.NextOffsetAsync(partition, CancellationToken.None).GetAwaiter().GetResult();

    private static TimeSpan Within(TimeSpan least, TimeSpan value, TimeSpan most) => value < least ? least : value > most ? most : value;
}
