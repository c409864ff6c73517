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

/// <summary>What KafkaToLake asks of the topic itself, beside the records that are delivered to it.</summary>
/// <param name="Identity">Which topic it is.</param>
/// <param name="OffsetsAsync">The first offset kept and the end of what is committed, of one partition.</param>
/// <param name="ReadRangeAsync">Committed records of one partition with offsets in [from, toExclusive).</param>
public sealed record TopicAccess(
    TopicIdentity Identity,
    Func<int, CancellationToken, Task<(long Low, long High)>> OffsetsAsync,
    Func<int, long, long, CancellationToken, IAsyncEnumerable<StreamRecord>> ReadRangeAsync)
{
    public static TopicAccess Through(TopicReader reader, TopicIdentity identity) =>
        new(identity, reader.OffsetsAsync, reader.ReadRangeAsync);
}

/// <summary>Reads given stretches of the topic, committed records only, outside any consumer group.</summary>
public sealed class TopicReader(PipelineOptions options)
{
    /// <summary>The first offset kept, and the end of what is committed (the last stable offset), of one partition.</summary>
    public async Task<(long Low, long High)> OffsetsAsync(int partition, CancellationToken cancellationToken) =>
        (await OffsetsAsync([partition], KafkaClients.AnswerTimeout, cancellationToken))[0];

    /// <summary>The same of several partitions, in their order.</summary>
    public Task<IReadOnlyList<(long Low, long High)>> OffsetsAsync(
        IReadOnlyList<int> partitions, TimeSpan patience, CancellationToken cancellationToken) =>
        OffsetsAsync(IsolationLevel.ReadCommitted, partitions, patience, cancellationToken);

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

    private async Task<IReadOnlyList<(long Low, long High)>> OffsetsAsync(
        IsolationLevel isolation, IReadOnlyList<int> partitions, TimeSpan patience, CancellationToken cancellationToken)
    {
        using var consumer = Build(isolation);
        var all = new List<(long, long)>(partitions.Count);
        foreach (var partition in partitions)
        {
            var asked = new TopicPartition(options.Kafka.Topic, partition);
            var offsets = await KafkaClients.AskAsync(turn => consumer.QueryWatermarkOffsets(asked, turn), patience, cancellationToken);
            all.Add((offsets.Low.Value, offsets.High.Value));
        }
        return all;
    }

    /// <summary>
    /// The records of one partition with offsets in [<paramref name="from"/>, <paramref name="toExclusive"/>). Ends early at the
    /// partition's end. Offsets that no record has (transaction markers, aborted records) are passed over.
    /// </summary>
    public async IAsyncEnumerable<StreamRecord> ReadRangeAsync(
        int partition, long from, long toExclusive, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await Task.Yield();
        using var consumer = Build();
        consumer.Assign(new TopicPartitionOffset(options.Kafka.Topic, partition, from));
        while (!cancellationToken.IsCancellationRequested)
        {
            var result = consumer.Consume(cancellationToken);
            if (result.IsPartitionEOF || result.Offset.Value >= toExclusive) yield break;
            yield return StreamRecord.From(result);
            if (result.Offset.Value + 1 >= toExclusive) yield break;
        }
        cancellationToken.ThrowIfCancellationRequested();
    }

    internal IConsumer<byte[], byte[]> Build(IsolationLevel isolation = IsolationLevel.ReadCommitted)
    {
        var config = KafkaClients.Reader(options, options.Kafka.EffectiveGroupId + "-reader");
        config.IsolationLevel = isolation;
        return new ConsumerBuilder<byte[], byte[]>(config).SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { }).Build();
    }
}
