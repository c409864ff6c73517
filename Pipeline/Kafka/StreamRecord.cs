using Confluent.Kafka;

namespace OrdersStream.Kafka;

/// <summary>
/// One record of the topic as KafkaToLake takes it, from either host. Key, value and headers are the host's own arrays:
/// nothing is copied.
/// </summary>
/// <param name="Partition">Partition number.</param>
/// <param name="Offset">Offset in the partition.</param>
/// <param name="Key">Null for a record without a key.</param>
/// <param name="Value">Null for a tombstone.</param>
/// <param name="TimestampMs">Kafka's timestamp, Unix milliseconds.</param>
/// <param name="Headers">Null or empty for most records: headers are sparse.</param>
public readonly record struct StreamRecord(
    int Partition, long Offset, byte[]? Key, byte[]? Value, long TimestampMs = 0, IReadOnlyList<StreamHeader>? Headers = null)
{
    /// <summary>From the client's record, whose arrays it takes over. Most have no header, and then nothing is made for them.</summary>
    public static StreamRecord From(ConsumeResult<byte[], byte[]> result)
    {
        var message = result.Message;
        return new StreamRecord(
            result.Partition.Value, result.Offset.Value, message.Key, message.Value,
            message.Timestamp.UnixTimestampMs, HeadersOf(message.Headers));
    }

    private static StreamHeader[]? HeadersOf(Headers? headers)
    {
        if (headers is null || headers.Count == 0) return null;
        var result = new StreamHeader[headers.Count];
        for (var i = 0; i < result.Length; i++) result[i] = new StreamHeader(headers[i].Key, headers[i].GetValueBytes());
        return result;
    }
}

/// <summary>One header of a record.</summary>
public readonly record struct StreamHeader(string Name, byte[]? Value)
{
    /// <summary>On a page's first record in each partition: the schema's fingerprint, ASCII.</summary>
    public const string Schema = "schema";

    /// <summary>On a page's first record in each partition: the frame, which says what the page is (topic format 2).</summary>
    public const string Page = "page";

    /// <summary>On a page's last record in each partition: the part is whole here (topic format 2).</summary>
    public const string PageEnd = "page-end";

    /// <summary>On the records between, where each names its page: that name.</summary>
    public const string PageName = "page-name";

    /// <summary>On a record without key and value, where a publisher without transactions begins: its fence (topic format 2).</summary>
    public const string Fence = "page-fence";

    /// <summary>
    /// On a page's last record in each partition: the capture position after the page, JSON, or where it is written. In topic format 1 it
    /// is all that marks a page's end. Within a transaction its marker follows.
    /// </summary>
    public const string Position = "position";

    /// <summary>On a record that was in quarantine and is sent again: which one that was (topic format 2).</summary>
    public const string Replay = "replay";

    /// <summary>On a record that is not an upsert: the operation, ASCII. Absent: upsert.</summary>
    public const string Op = "op";
}
