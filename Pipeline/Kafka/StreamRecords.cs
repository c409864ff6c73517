using Confluent.Kafka;

namespace OrdersStream.Kafka;

/// <summary>From the client's record to ours.</summary>
public static class StreamRecords
{
    /// <summary>Takes over the arrays; copies nothing. Most records have no header, and then nothing is made for them.</summary>
    public static StreamRecord From(ConsumeResult<byte[], byte[]> result)
    {
        var message = result.Message;
        return new StreamRecord(
            result.Partition.Value, result.Offset.Value, message.Key, message.Value, message.Timestamp.UnixTimestampMs, HeadersOf(message.Headers));
    }

    private static StreamHeader[]? HeadersOf(Headers? headers)
    {
        if (headers is null || headers.Count == 0) return null;
        var result = new StreamHeader[headers.Count];
        for (var i = 0; i < result.Length; i++) result[i] = new StreamHeader(headers[i].Key, headers[i].GetValueBytes());
        return result;
    }
}
