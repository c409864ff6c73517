using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using Confluent.Kafka;
using OrdersStream.Configuration;

namespace OrdersStream.Kafka;

/// <summary>One partition's ends in the topic.</summary>
/// <param name="Partition">Its number.</param>
/// <param name="Low">The first offset kept.</param>
/// <param name="High">The end of what is committed.</param>
public sealed record TopicPartitionEnds(int Partition, long Low, long High);

/// <summary>Offsets of one partition in [From, To).</summary>
public sealed record OffsetRange(int Partition, long From, long To);

/// <summary>The first record of a range.</summary>
/// <param name="Offset">Where it is.</param>
/// <param name="Timestamp">When it was sent, or came to the broker, as the topic is set to.</param>
public sealed record FirstRecord(long Offset, Timestamp Timestamp);

/// <summary>Reads given stretches of the topic, committed records only, outside any consumer group.</summary>
public sealed class TopicReader(PipelineOptions options)
{
    /// <summary>After a change of leader the end may lag for a moment: what seems to be lost is asked for so many times more.</summary>
    public const int EndRetries = 5;

    /// <summary>After so long each.</summary>
    public static readonly TimeSpan EndRetryDelay = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan HiddenPause = TimeSpan.FromMilliseconds(200);

    /// <summary>The first offset kept, and the end of what is committed (the last stable offset), of one partition.</summary>
    public async Task<(long Low, long High)> OffsetsAsync(int partition, CancellationToken cancellationToken) =>
        (await OffsetsAsync([partition], KafkaClients.AnswerTimeout, cancellationToken))[0];

    /// <summary>The same of several partitions, in their order.</summary>
    public Task<IReadOnlyList<(long Low, long High)>> OffsetsAsync(
        IReadOnlyList<int> partitions, TimeSpan patience, CancellationToken cancellationToken) =>
        OffsetsAsync(IsolationLevel.ReadCommitted, partitions, patience, cancellationToken);

    /// <summary>The end of all that was sent to one partition.</summary>
    public async Task<long> EndAsync(int partition, CancellationToken cancellationToken) =>
        (await OffsetsAsync(IsolationLevel.ReadUncommitted, [partition], KafkaClients.AnswerTimeout, cancellationToken))[0].High;

    /// <summary>The same of each of so many partitions; empty where there is no topic yet.</summary>
    public async Task<ImmutableArray<TopicPartitionEnds>> PartitionEndsAsync(
        int partitions, TimeSpan patience, CancellationToken cancellationToken)
    {
        if (partitions == 0) return [];
        var ends = await OffsetsAsync([.. Enumerable.Range(0, partitions)], patience, cancellationToken);
        return [.. ends.Select((o, p) => new TopicPartitionEnds(p, o.Low, o.High))];
    }

    /// <summary>
    /// The end of all that was sent, of each of so many partitions. A commit that is answered becomes visible in one partition after the
    /// other: its records lie below this end at once, and only a moment later below the end of what is committed.
    /// </summary>
    public async Task<IReadOnlyList<long>> EndsAsync(int partitions, CancellationToken cancellationToken)
    {
        int[] all = [.. Enumerable.Range(0, partitions)];
        var ends = await OffsetsAsync(IsolationLevel.ReadUncommitted, all, KafkaClients.AnswerTimeout, cancellationToken);
        return [.. ends.Select(o => o.High)];
    }

    /// <summary>The same of each partition that there is now.</summary>
    public async Task<IReadOnlyList<long>> EndsAsync(TimeSpan patience, CancellationToken cancellationToken)
    {
        using var consumer = Build(IsolationLevel.ReadUncommitted);
        using var admin = new DependentAdminClientBuilder(consumer.Handle).Build();
        var topics = await KafkaClients.AskAsync(
            turn => admin.GetMetadata(options.Kafka.Topic, turn).Topics, patience, cancellationToken);
        var ends = new List<long>();
        foreach (var partition in Enumerable.Range(0, topics.Single(t => t.Topic == options.Kafka.Topic).Partitions.Count))
            ends.Add(await KafkaClients.AskAsync(
                turn => consumer.QueryWatermarkOffsets(new TopicPartition(options.Kafka.Topic, partition), turn).High.Value,
                patience, cancellationToken));
        return ends;
    }

    /// <summary>
    /// What transactions hide for so long at least: a page of ours does for a moment, and then the end of what is committed moves.
    /// </summary>
    /// <param name="partitions">Number of partitions.</param>
    /// <param name="least">How long that end must be seen to stand still.</param>
    /// <param name="time">The clock.</param>
    /// <param name="patience">For each answer.</param>
    /// <param name="cancellationToken">Ends the asking.</param>
    public async Task<IReadOnlyList<HiddenEnd>> HiddenAsync(
        int partitions, TimeSpan least, TimeProvider time, TimeSpan patience, CancellationToken cancellationToken)
    {
        if (partitions == 0) return [];
        var begun = time.GetTimestamp();
        var hidden = await HiddenAsync(partitions, patience, cancellationToken);
        while (hidden.Count > 0 && time.GetElapsedTime(begun) < least)
        {
            await Task.Delay(HiddenPause, time, cancellationToken);
            var now = await HiddenAsync(partitions, patience, cancellationToken);
            hidden = [.. now.Where(n => hidden.Any(h => (h.Partition, h.Stable) == (n.Partition, n.Stable)))];
        }
        return hidden;
    }

    /// <summary>What transactions hide at this moment.</summary>
    public async Task<IReadOnlyList<HiddenEnd>> HiddenAsync(int partitions, TimeSpan patience, CancellationToken cancellationToken)
    {
        int[] all = [.. Enumerable.Range(0, partitions)];
        var ends = OffsetsAsync(IsolationLevel.ReadUncommitted, all, patience, cancellationToken);
        var kept = OffsetsAsync(IsolationLevel.ReadCommitted, all, patience, cancellationToken);
        await Task.WhenAll(ends, kept);
        return HiddenEnd.Between(await kept, [.. (await ends).Select(e => e.High)]);
    }

    private async Task<IReadOnlyList<(long Low, long High)>> OffsetsAsync(
        IsolationLevel isolation, IReadOnlyList<int> partitions, TimeSpan patience, CancellationToken cancellationToken)
    {
        var errors = new ClientErrors(options.Kafka);
        using var consumer = Build(isolation, errors);
        return await OffsetsAsync(consumer, partitions, errors, patience, cancellationToken);
    }

    /// <summary>The same as a client sees it that is there: the end of what is committed, or of all.</summary>
    internal async Task<IReadOnlyList<(long Low, long High)>> OffsetsAsync(
        IConsumer<byte[], byte[]> consumer, IReadOnlyList<int> partitions, ClientErrors errors, TimeSpan patience,
        CancellationToken cancellationToken)
    {
        var all = new List<(long, long)>(partitions.Count);
        foreach (var partition in partitions)
        {
            var asked = new TopicPartition(options.Kafka.Topic, partition);
            var offsets = await KafkaClients.AskAsync(
                turn => consumer.QueryWatermarkOffsets(asked, turn), patience, cancellationToken, errors);
            all.Add((offsets.Low.Value, offsets.High.Value));
        }
        return all;
    }

    /// <summary>
    /// The records of one partition with offsets in [<paramref name="from"/>, <paramref name="toExclusive"/>). Ends early at the
    /// partition's end. Offsets that no record has (transaction markers, aborted records) are passed over.
    /// </summary>
    public IAsyncEnumerable<StreamRecord> ReadRangeAsync(int partition, long from, long toExclusive, CancellationToken cancellationToken) =>
        ReadRangeAsync(partition, from, toExclusive, mustReach: false, cancellationToken);

    /// <summary>
    /// The same of a range behind which a record was delivered: a leader that is only just elected may know of less for a moment, and that
    /// is not the partition's end (invariant 3).
    /// </summary>
    /// <exception cref="KafkaException">Nothing more came for long.</exception>
    public IAsyncEnumerable<StreamRecord> ReadDeliveredAsync(
        int partition, long from, long toExclusive, CancellationToken cancellationToken) =>
        ReadRangeAsync(partition, from, toExclusive, mustReach: true, cancellationToken);

    private async IAsyncEnumerable<StreamRecord> ReadRangeAsync(
        int partition, long from, long toExclusive, bool mustReach, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await Task.Yield();
        var errors = new ClientErrors(options.Kafka);
        using var consumer = Build(errors: errors);
        var client = new ReadingClient(consumer, errors);
        client.Begin(new TopicPartition(options.Kafka.Topic, partition), from);
        while (true)
        {
            var result = client.Next(cancellationToken);
            if (result.Offset.Value >= toExclusive || (result.IsPartitionEOF && !mustReach)) yield break;
            if (result.IsPartitionEOF) continue;
            yield return StreamRecord.From(result);
            if (result.Offset.Value + 1 >= toExclusive) yield break;
        }
    }

    /// <summary>The first committed record of each range; null: it has none. One client asks for all.</summary>
    /// <param name="ranges">One of each partition at the most.</param>
    /// <param name="cancellationToken">Ends the asking.</param>
    public async Task<IReadOnlyDictionary<int, FirstRecord?>> FirstRecordsAsync(
        IReadOnlyList<OffsetRange> ranges, CancellationToken cancellationToken)
    {
        await Task.Yield();
        var found = new Dictionary<int, FirstRecord?>();
        if (ranges.Count == 0) return found;
        var ends = ranges.ToDictionary(r => r.Partition, r => r.To);
        var errors = new ClientErrors(options.Kafka);
        using var consumer = Build(errors: errors);
        var client = new ReadingClient(consumer, errors);
        client.Begin([.. ranges.Select(r => new TopicPartitionOffset(options.Kafka.Topic, r.Partition, r.From))]);
        while (found.Count < ends.Count)
        {
            var next = client.Next(cancellationToken);
            var isThere = !next.IsPartitionEOF && next.Offset.Value < ends[next.Partition.Value];
            client.End(next.Partition.Value);
            found[next.Partition.Value] = isThere ? new FirstRecord(next.Offset.Value, next.Message.Timestamp) : null;
        }
        return found;
    }

    /// <summary>All records of one partition from an offset up to its present end, committed or not.</summary>
    public async IAsyncEnumerable<StreamRecord> ReadUncommittedAsync(
        int partition, long from, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await Task.Yield();
        var errors = new ClientErrors(options.Kafka);
        using var consumer = Build(IsolationLevel.ReadUncommitted, errors);
        var client = new ReadingClient(consumer, errors);
        client.Begin(new TopicPartition(options.Kafka.Topic, partition), from);
        while (client.Next(cancellationToken) is { IsPartitionEOF: false } result) yield return StreamRecord.From(result);
    }

    internal IConsumer<byte[], byte[]> Build(IsolationLevel isolation = IsolationLevel.ReadCommitted, ClientErrors? errors = null)
    {
        var config = KafkaClients.Reader(options, options.Kafka.EffectiveGroupId + "-reader");
        config.IsolationLevel = isolation;
        errors ??= new ClientErrors(options.Kafka);
        var consumer = new ConsumerBuilder<byte[], byte[]>(config).WithTokens(options.Kafka, errors)
            .SetLogHandler((_, line) => errors.OnLog(line)).SetErrorHandler((_, e) => errors.OnError(e)).Build();
        TokenLogin.GiveFirst(consumer, options.Kafka, errors);
        return consumer;
    }
}
