namespace OrdersStream.Kafka;

/// <summary>What KafkaToLake asks of the topic itself, beside the records that are delivered to it.</summary>
/// <param name="Identity">Which topic it is.</param>
/// <param name="OffsetsAsync">The first offset kept and the end of what is committed, of one partition.</param>
/// <param name="EndAsync">The end of all that was sent to one partition, committed or not.</param>
/// <param name="ReadRangeAsync">Committed records of one partition with offsets in [from, toExclusive).</param>
/// <param name="ReadDeliveredAsync">The same of a range whose end was delivered: the partition does not end before it.</param>
public sealed record TopicAccess(
    TopicIdentity Identity,
    Func<int, CancellationToken, Task<(long Low, long High)>> OffsetsAsync,
    Func<int, CancellationToken, Task<long>> EndAsync,
    Func<int, long, long, CancellationToken, IAsyncEnumerable<StreamRecord>> ReadRangeAsync,
    Func<int, long, long, CancellationToken, IAsyncEnumerable<StreamRecord>> ReadDeliveredAsync)
{
    public static TopicAccess Through(TopicReader reader, TopicIdentity identity) =>
        new(identity, reader.OffsetsAsync, reader.EndAsync, reader.ReadRangeAsync, reader.ReadDeliveredAsync);
}
