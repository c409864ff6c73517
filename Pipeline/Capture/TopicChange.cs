using Confluent.Kafka;
using OrdersStream.Kafka;

namespace OrdersStream.Capture;

/// <summary>
/// Looks now and then whether the topic still is as a session found it (invariant 10): with as many partitions, and with all that the
/// brokers had acknowledged, also while there is nothing to publish.
/// </summary>
/// <param name="topic">Asks the brokers.</param>
/// <param name="partitions">Partitions that the session knows.</param>
/// <param name="time">The clock.</param>
internal sealed class TopicChange(TopicReader topic, int partitions, TimeProvider time)
{
    /// <summary>How long a look counts: new partitions are used, and a lost end is noticed, by the next poll after that.</summary>
    public static readonly TimeSpan LooksEvery = TimeSpan.FromMinutes(1);

    /// <summary>A poll does not wait for brokers that are away: who publishes notices them.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private long lookedAt = time.GetTimestamp();

    /// <summary>The session is to be opened anew: it finds out what changed. To be called as often as one likes.</summary>
    /// <param name="promised">Per partition, an offset at or before the end.</param>
    /// <param name="cancellationToken">Ends the asking.</param>
    public async Task<bool> IsAnotherAsync(IReadOnlyDictionary<int, long> promised, CancellationToken cancellationToken)
    {
        if (time.GetElapsedTime(lookedAt) < LooksEvery) return false;
        lookedAt = time.GetTimestamp();
        try
        {
            var ends = await topic.EndsAsync(Patience, cancellationToken);
            return IsAnother(ends, partitions, promised);
        }
        catch (KafkaException)
        {
            return false;
        }
    }

    internal static bool IsAnother(IReadOnlyList<long> ends, int partitions, IReadOnlyDictionary<int, long> promised) =>
        // Fewer may be the answer of a broker that has not heard of all: only more are certain.
        ends.Count > partitions || promised.Any(p => p.Key < ends.Count && p.Value > ends[p.Key]);
}
