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
    int Partition, long Offset, byte[]? Key, byte[]? Value, long TimestampMs = 0, IReadOnlyList<StreamHeader>? Headers = null);

/// <summary>One header of a record.</summary>
public readonly record struct StreamHeader(string Name, byte[]? Value)
{
    /// <summary>On a page's first record in each partition: the schema's fingerprint, ASCII.</summary>
    public const string Schema = "schema";

    /// <summary>On a page's last record in each partition: the capture position after the page, JSON. A transaction marker follows.</summary>
    public const string Position = "position";

    /// <summary>On a record that is not an upsert: the operation, ASCII. Absent: upsert.</summary>
    public const string Op = "op";
}
