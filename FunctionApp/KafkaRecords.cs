using System.Collections;
using Microsoft.Azure.Functions.Worker;
using OrdersStream.Kafka;

namespace OrdersStream.FunctionApp;

/// <summary>
/// The host's records as ours. Takes over the arrays of keys and values; copies nothing, and makes each record only when it is asked
/// for: an array of all of them would be so large that only a full collection frees it.
/// </summary>
internal sealed class KafkaRecords(KafkaRecord[] records) : IReadOnlyList<StreamRecord>
{
    public int Count => records.Length;

    public StreamRecord this[int index] => ToStream(records[index]);

    public IEnumerator<StreamRecord> GetEnumerator() => records.Select(ToStream).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    // Key, value and timestamp may be null, though the type does not say so.
    private static StreamRecord ToStream(KafkaRecord record) => new(
        record.Partition, record.Offset, record.Key, record.Value, record.Timestamp?.UnixTimestampMs ?? 0,
        record.Headers is { Length: > 0 } headers ? Array.ConvertAll(headers, h => new StreamHeader(h.Key, h.Value)) : null);
}
