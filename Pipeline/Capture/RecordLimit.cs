using System.Globalization;
using OrdersStream.Configuration;
using OrdersStream.Kafka;

namespace OrdersStream.Capture;

/// <summary>
/// How large a row's record may be: as large as the topic takes it, and never beyond what the clients send. The topic counts what is
/// compressed, here the row is counted as it is; so up to the size of a topic of our own the brokers decide, unless they have refused
/// already.
/// </summary>
/// <param name="Bytes">Key, value and what comes with them.</param>
/// <param name="OfTopic">The topic's <c>max.message.bytes</c>; null: it cannot be read.</param>
internal sealed record RecordLimit(long Bytes, long? OfTopic)
{
    /// <summary>
    /// For headers (the position is the largest) and the batch around a record that is sent alone. Those at a part's ends, of a wide table
    /// or behind many open transactions, have more: looked at only once the brokers refused one, since most records have none.
    /// </summary>
    public const int Overhead = 4 * 1024;

    private const long MiB = 1024 * 1024;

    /// <param name="topic">What it is set to; null: nobody could tell.</param>
    /// <param name="isCompressed">Records may be smaller on the wire, and it is not known yet that they are not.</param>
    public static RecordLimit Of(TopicSettings? topic, bool isCompressed)
    {
        var ofTopic = topic?.RecordBytesMax ?? KafkaClients.NewTopicRecordBytes;
        var allowed = isCompressed ? Math.Max(ofTopic, KafkaClients.NewTopicRecordBytes) : ofTopic;
        return new(Math.Min(allowed, KafkaClients.RecordBytesMax), topic?.RecordBytesMax);
    }

    /// <param name="key">The row's.</param>
    /// <param name="value">The row's.</param>
    /// <param name="headers">Bytes that may come with it; 0: as most have.</param>
    public static long SizeOf(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, long headers = 0) =>
        key.Length + (long)value.Length + Math.Max(Overhead, headers);

    /// <summary>What is set where, so that a record of this size is published.</summary>
    public string RemedyFor(long size, KafkaOptions kafka)
    {
        const string LeaveOut = "set postgres.too_large to quarantine: such rows are then kept in files, and the others go on.";
        var needed = (size + MiB - 1) / MiB * MiB;
        if (needed > KafkaClients.RecordBytesMax)
            return string.Create(CultureInfo.InvariantCulture,
                $"No record of more than {KafkaClients.RecordBytesMax:N0} bytes is sent, whatever the topic takes: "
                + $"make the row smaller, or {LeaveOut}");
        if (OfTopic is null)
            return "The topic's settings cannot be read, so that its limit is not known: "
                + $"let kafka.sasl_username describe them (DESCRIBE_CONFIGS on the topic), or {LeaveOut}";
        return $"Raise the topic's max.message.bytes ({TopicSettings.Alter(kafka, $"max.message.bytes={needed}")}), or {LeaveOut}";
    }
}
