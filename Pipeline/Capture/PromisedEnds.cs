using System.Collections.Immutable;
using OrdersStream.Kafka;

namespace OrdersStream.Capture;

/// <summary>
/// The ends that the brokers had acknowledged, against those that are there: below them the end of the log was lost (invariant 10).
/// </summary>
internal sealed class PromisedEnds(TopicReader topic, TimeProvider time)
{
    /// <summary>How many offsets are gone, of each partition that ends below what was promised.</summary>
    /// <param name="promised">Per partition, an offset at or before the end.</param>
    /// <param name="partitions">Partitions of the topic.</param>
    /// <param name="cancellationToken">Ends the asking.</param>
    public async Task<ImmutableSortedDictionary<int, long>> FindLostAsync(
        IReadOnlyDictionary<int, long> promised, int partitions, CancellationToken cancellationToken)
    {
        if (promised.Count == 0) return Watermark.NoOffsets;
        for (var retry = 0; ; retry++)
        {
            var ends = await topic.EndsAsync(partitions, cancellationToken);
            // One that the caller does not know of came since it asked how many there are.
            var lost = promised.Where(p => p.Key < ends.Count && p.Value > ends[p.Key])
                .ToImmutableSortedDictionary(p => p.Key, p => p.Value - ends[p.Key]);
            if (lost.IsEmpty || retry == TopicReader.EndRetries) return lost;
            await Task.Delay(TopicReader.EndRetryDelay, time, cancellationToken);
        }
    }
}
