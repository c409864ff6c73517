using Confluent.Kafka;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;

namespace OrdersStream.Capture;

/// <summary>What was read at the committed end of the topic.</summary>
/// <param name="Newest">The newest position that a page left there; null: none was found.</param>
/// <param name="Ends">The end of what is committed, per partition.</param>
public sealed record TailPosition(Watermark? Newest, IReadOnlyDictionary<int, long> Ends);

/// <summary>
/// Reads the position of the last committed page back from the topic. After a crash between the commit of a page and the
/// writing of the watermark file, the topic knows more than the file (invariant 2).
/// </summary>
public sealed class TopicTail(PipelineOptions options)
{
    private const int RecordsBack = 64;

    /// <summary>Reads everything behind the given offsets.</summary>
    /// <param name="offsets">From the watermark file; a partition that is missing there is read from its end backwards.</param>
    /// <param name="partitions">Number of partitions.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<TailPosition> ReadAsync(IReadOnlyDictionary<int, long> offsets, int partitions, CancellationToken cancellationToken)
    {
        using var consumer = new TopicReader(options).Build();
        Watermark? newest = null;
        var ends = new Dictionary<int, long>();
        for (var p = 0; p < partitions; p++)
        {
            var partition = new TopicPartition(options.Kafka.Topic, p);
            var kept = await KafkaClients.AskAsync(
                turn => consumer.QueryWatermarkOffsets(partition, turn), KafkaClients.AnswerTimeout, cancellationToken);
            var (low, high) = (kept.Low.Value, kept.High.Value);
            ends[p] = high;
            var known = offsets.TryGetValue(p, out var from);
            var found = await Task.Run(
                () => known
                    ? Newest(consumer, partition, Math.Max(from, low), high, cancellationToken)
                    : NewestBackwards(consumer, partition, low, high, cancellationToken),
                cancellationToken);
            if (found is not null && (newest is null || found.Position.CompareTo(newest.Position) > 0)) newest = found;
        }
        consumer.Unassign();
        return new TailPosition(newest, ends);
    }

    // A partition's last committed record carries a position, unless another producer wrote behind it: then it is searched further back.
    private static Watermark? NewestBackwards(
        IConsumer<byte[], byte[]> consumer, TopicPartition partition, long low, long high, CancellationToken cancellationToken)
    {
        for (long back = RecordsBack; ; back *= 8)
        {
            var from = Math.Max(low, high - back);
            if (Newest(consumer, partition, from, high, cancellationToken) is { } found) return found;
            if (from == low) return null;
        }
    }

    private static Watermark? Newest(
        IConsumer<byte[], byte[]> consumer, TopicPartition partition, long from, long high, CancellationToken cancellationToken)
    {
        if (from >= high) return null;
        ConsumeResult<byte[], byte[]>? newest = null;
        consumer.Assign(new TopicPartitionOffset(partition, from));
        while (consumer.Consume(cancellationToken) is { IsPartitionEOF: false } result)
        {
            if (PositionOf(result) is not null) newest = result;
            if (result.Offset.Value + 1 >= high) break;
        }
        return newest is null ? null : Read(partition, newest);
    }

    private static Watermark Read(TopicPartition partition, ConsumeResult<byte[], byte[]> record)
    {
        try
        {
            return Watermark.FromJson(PositionOf(record)!);
        }
        catch (FormatException e)
        {
            throw new PipelineException(FailureAction.Stop,
                $"The position that the record of topic {partition.Topic}, partition {partition.Partition.Value}, "
                + $"offset {record.Offset.Value} carries cannot be read: {e.Message}.",
                "If a later version of this program wrote it, run that version. If another program did, it must not use "
                + $"the header '{StreamHeader.Position}': remove its records (kafka-delete-records), once KafkaToLake has stored them.", e);
        }
    }

    private static byte[]? PositionOf(ConsumeResult<byte[], byte[]> record)
    {
        if (record.Message.Headers is not { } headers) return null;
        for (var i = headers.Count - 1; i >= 0; i--)
            if (headers[i].Key == StreamHeader.Position) return headers[i].GetValueBytes();
        return null;
    }
}
