using Microsoft.Azure.Functions.Worker;
using OrdersStream.Hosting.Functions;

namespace OrdersStream.FunctionApp;

/// <summary>
/// The storing half: one delivered batch, in the lake when this returns. It is tried again without end: the host would go on to the
/// next batch.
/// </summary>
public sealed class KafkaToLakeFunction(StreamFunctions halves)
{
    /// <summary>
    /// Records that one instance may leave waiting before the platform brings another: some ten seconds of what one stores. Of the
    /// extension's own thousand one ordinary tick would ask for as many instances as there may be.
    /// </summary>
    internal const int LagThreshold = 400_000;

    [Function("KafkaToLake")]
    [ExponentialBackoffRetry(-1, "00:00:01", "00:00:30")]
    public Task RunAsync(
        [KafkaTrigger(
            "%KAFKA_BROKERS%", "%KAFKA_TOPIC%", ConsumerGroup = "%KAFKA_GROUP%", IsBatched = true, KeyDataType = KafkaMessageKeyType.Binary,
            LagThreshold = LagThreshold
#if KAFKA_SASLSSL || KAFKA_SASLPLAINTEXT
            , Protocol = KafkaSecurity.Protocol, AuthenticationMode = KafkaSecurity.Mechanism,
            Username = "%KAFKA_SASL_USERNAME%", Password = "%KAFKA_SASL_PASSWORD%"
#elif KAFKA_SSL
            , Protocol = KafkaSecurity.Protocol
#endif
            )]
        KafkaRecord[] records,
        CancellationToken cancellationToken) => halves.StoreAsync(new KafkaRecords(records), cancellationToken);
}
