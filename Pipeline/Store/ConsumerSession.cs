using Confluent.Kafka;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Lake;

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
    PipelineOptions options, LakeBatch batch, LakeOwner lake, DrainLimits? drain, HiddenEndWatch hiddenEnds, GroupWatch group,
    ConsumerPace pace, Retries retries, TimeProvider time, CrashPoints crashPoints, Action<BatchResult> stored)
{
    /// <summary>How long what is under way may take once it is cancelled, the last commit included.</summary>
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(5);

    /// <summary>Records between two checks of the clock and of what is due, while records stream in.</summary>
    private const int RecordsBetweenChecks = 64;

    /// <summary>How long the client may wait without a check of the stop token.</summary>
    private static readonly TimeSpan WaitMax = TimeSpan.FromMilliseconds(100);

    /// <summary>How long what there is may wait for the rest of its page once all was read: a page becomes visible in pieces.</summary>
    private static readonly TimeSpan OpenPagePatience = TimeSpan.FromSeconds(5);

    /// <summary>How long a drain waits for a record before it looks whether the brokers answer at all.</summary>
    private static readonly TimeSpan StandstillPatience = TimeSpan.FromSeconds(15);

    /// <summary>How long ends that were reached, with no record before them, may wait to be written down.</summary>
    private static readonly TimeSpan PassedOverMax = TimeSpan.FromMinutes(1);

    private readonly CollectedOffsets collected = new(drain?.Ends);
    private readonly EndWatch endWatch = new(batch, options.Kafka.Topic, time);
    private readonly TimeSpan interval = TimeSpan.FromSeconds(options.Streaming.BatchInterval);
    private readonly BatchTiming timing = new(TimeSpan.FromSeconds(options.Streaming.BatchInterval), isDrain: drain is not null);
    private readonly Dictionary<int, long> toSeek = [];
    private KafkaException? noted;
    private long since;
    private long? passedOverAt;
    private long cameAt = time.GetTimestamp();
    private long? endsReachedAt;

    private bool IsEmpty => collected.Records == 0;

    /// <param name="partitions">Null: as the group assigns them.</param>
    /// <param name="cancellationToken">Ends it when what was collected is stored.</param>
    public async Task<TopicDrain> RunAsync(IReadOnlyList<int>? partitions, CancellationToken cancellationToken)
    {
        // What was read is stored before the end, though the token is cancelled: it is little, and reading it again costs more.
        using var gracePeriod = new GracePeriod(cancellationToken, StopPatience);
        using var consumer = new LakeConsumer(options, GroupWatch.ClientIdOf(lake.LakeId), batch.PartitionsCome, NextOffset, Revoke);
        if (partitions is null) consumer.JoinGroup();
        else consumer.Take(partitions);

        hiddenEnds.BeginAnew();
        bool reachedEnds;
        do
        {
            reachedEnds = await ReadUndamagedAsync(consumer, gracePeriod, cancellationToken);
            await CommitAsync(consumer, gracePeriod.Token);
            // Where another stored a part of it meanwhile, the rest is still to be read.
        }
        while (reachedEnds && !cancellationToken.IsCancellationRequested && !IsDrained());
        return !reachedEnds ? TopicDrain.BrokenOff
            : collected.Unread.Any() ? TopicDrain.EndHidden
            : batch.OpenPages > 0 ? TopicDrain.PageUnfinished
            : TopicDrain.Done;
    }

    /// <summary>
    /// What was read before a place that is damaged is stored: to go on behind that place, an operator deletes all that comes before.
    /// </summary>
    /// <inheritdoc cref="ReadAsync"/>
    private async Task<bool> ReadUndamagedAsync(
        LakeConsumer consumer, GracePeriod gracePeriod, CancellationToken cancellationToken)
    {
        try
        {
            return await ReadAsync(consumer, gracePeriod, cancellationToken);
        }
        catch (KafkaException e) when (FailurePolicy.IsDamaged(e))
        {
            await CommitAsync(consumer, gracePeriod.Token);
            throw;
        }
    }

    /// <returns>All was read; false: it was cancelled before.</returns>
    private async Task<bool> ReadAsync(LakeConsumer consumer, GracePeriod gracePeriod, CancellationToken cancellationToken)
    {
        var reachedEnds = IsDrained();
        while (!cancellationToken.IsCancellationRequested && !reachedEnds)
        {
            if (toSeek.Count > 0) SeekAll(consumer);
            // Records that are there already are taken without reading the clock.
            var came = consumer.TryNext() || consumer.WaitNext(IsEmpty ? WaitMax : Within(TimeSpan.Zero, UntilDue(), WaitMax));
            if (came && !consumer.IsPartitionEnd)
            {
                if (IsEmpty) since = time.GetTimestamp();
                collected.Added(consumer.Partition, consumer.Offset);
                await consumer.AddToAsync(batch, gracePeriod.Token);
                if (collected.Records % RecordsBetweenChecks != 0 && !batch.IsFull) continue;
            }
            else if (came) EndReached(consumer);
            ReportHealth(consumer, came);
            lake.CheckWhenDue(interval);
            batch.CheckWhenDue(interval);
            endWatch.Look(consumer.TakeDisturbance() || IsStandingStill(came), gracePeriod.Token);
            hiddenEnds.Look(collected.AtEnds, consumer.EndOf, gracePeriod.Token);
            group.Look(lake.LakeId, consumer.TakeMove(), gracePeriod.Token);
            pace.Waiting = collected.Records;
            if (batch.IsFull || IsDue()) await CommitAsync(consumer, gracePeriod.Token);
            reachedEnds = IsDrained();
        }
        return reachedEnds;
    }

    // That there was nothing else is written down, too, seldom: once retention takes that, it would seem to have been records.
    private bool IsDue() => IsEmpty
        ? passedOverAt is { } at && time.GetElapsedTime(at) > PassedOverMax
        : UntilDue() <= TimeSpan.Zero;

    private void EndReached(LakeConsumer consumer)
    {
        collected.EndReached(consumer.Partition, consumer.Offset);
        batch.EndReached(consumer.Partition, consumer.Offset);
        if (batch.HasNews) passedOverAt ??= time.GetTimestamp();
        // A group that forgot its offsets, or is another by now, hears what it was not told by a commit: else all would seem to wait.
        else if (IsEmpty) consumer.StoreOffsets([(consumer.Partition, batch.WaitingFrom(consumer.Partition) ?? consumer.Offset)]);
        var logEnd = consumer.EndOf(consumer.Partition);
        if (collected.EndThatIsLost(consumer.Partition, logEnd) is not { } end) return;
        throw new PipelineException(new FailureVerdict(FailureAction.Retry,
            $"The brokers lost the end of topic '{options.Kafka.Topic}', partition {consumer.Partition}: it ended at {end}, and ends at "
            + $"{logEnd}.",
            "All that is there now is read.", SeesItself: true));
    }

    /// <summary>What a drain still waits for does not come: nobody may answer for it, though no connection ended.</summary>
    private bool IsStandingStill(bool came)
    {
        if (drain is null || came)
        {
            cameAt = time.GetTimestamp();
            return false;
        }
        if (time.GetElapsedTime(cameAt) <= StandstillPatience) return false;
        cameAt = time.GetTimestamp();
        return true;
    }

    /// <summary>All was read that is not hidden, and each page that has begun is whole: or nobody ends it for now.</summary>
    private bool IsDrained()
    {
        if (drain is null || !collected.Unread.All(p => hiddenEnds.StandsFor(p) >= drain.HiddenPatience)) return false;
        endsReachedAt ??= time.GetTimestamp();
        return batch.OpenPages == 0 || time.GetElapsedTime(endsReachedAt.Value) > OpenPagePatience;
    }

    private void ReportHealth(LakeConsumer consumer, bool came)
    {
        if (endWatch.Failure is { } unseen && unseen != noted) retries.Note(noted = unseen);
        else if ((came || endWatch.TakeAnswer()) && !pace.CommitFailed) Succeeded();
        else if (!came && consumer.TakeFailure() is { } error) retries.Note(error);
        else retries.StopIfTooLong();
    }

    // What comes of some partitions says nothing of one that nobody answers for.
    private void Succeeded()
    {
        if (endWatch.Failure is null) retries.Succeeded();
    }

    private async Task CommitAsync(LakeConsumer consumer, CancellationToken cancellationToken)
    {
        await StoreAsync(consumer, cancellationToken);
        SeekAll(consumer);
    }

    private async Task StoreAsync(LakeConsumer consumer, CancellationToken cancellationToken)
    {
        if (IsEmpty && !batch.HasNews) return;
        passedOverAt = null;
        pace.CommitFailed = true;
        // Counted from here, a commit that takes its time does not make the next one later.
        var begun = time.GetTimestamp();
        var outcome = await batch.CommitAsync(cancellationToken);
        pace.CommitFailed = false;
        pace.CommittedAt = begun;
        Succeeded();
        if (outcome.Result is not { Rows: 0, Quarantined: 0, AlreadyStored: 0 }) stored(outcome.Result);
        consumer.StoreOffsets(
            from p in collected.Positions
            where !outcome.Superseded.ContainsKey(p.Partition)
            select (p.Partition, batch.WaitingFrom(p.Partition) ?? p.Next));
        crashPoints.Reached(CrashPoint.OffsetsStored);
        foreach (var (partition, next) in outcome.Superseded) toSeek[partition] = next;
        collected.Committed(outcome.Superseded);
    }

    // In the midst of a rebalance nothing can be sought.
    private void SeekAll(LakeConsumer consumer)
    {
        foreach (var (partition, next) in toSeek) consumer.Seek(partition, next);
        toSeek.Clear();
    }

    // What waits for the rest of its page is read again by whoever has the partition then, this one too.
    private void Revoke(LakeConsumer consumer, IReadOnlyList<int> partitions)
    {
        StoreAsync(consumer, CancellationToken.None).GetAwaiter().GetResult();
        batch.Forget(partitions);
    }

    private TimeSpan UntilDue() =>
        timing.UntilDue(time.GetElapsedTime(since), pace.CommittedAt is { } at ? time.GetElapsedTime(at) : null, collected.IsBehind);

    private long NextOffset(int partition) => batch.NextOffsetAsync(partition, CancellationToken.None).GetAwaiter().GetResult();

    private static TimeSpan Within(TimeSpan least, TimeSpan value, TimeSpan most) => value < least ? least : value > most ? most : value;
}
