using Microsoft.Azure.Functions.Worker;
using OrdersStream.Kafka;

namespace OrdersStream.FunctionApp;

/// <summary>From the host's records to ours.</summary>
internal static class KafkaRecords
{
    /// <summary>Takes over the arrays of keys and values; copies nothing.</summary>
    public static StreamRecord[] ToStream(KafkaRecord[] records) => Array.ConvertAll(records, ToStream);

    // Key, value and timestamp may be null, though the type does not say so.
    private static StreamRecord ToStream(KafkaRecord record) => new(
        record.Partition, record.Offset, record.Key, record.Value, record.Timestamp?.UnixTimestampMs ?? 0,
        record.Headers is { Length: > 0 } headers ? Array.ConvertAll(headers, h => new StreamHeader(h.Key, h.Value)) : null);
}
