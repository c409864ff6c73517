namespace OrdersStream.Kafka;

/// <summary>When a record was sent, or came: its producer may say anything, and very old brokers say nothing.</summary>
public static class RecordTime
{
    private static readonly long MillisecondsMax = DateTimeOffset.MaxValue.ToUnixTimeMilliseconds();

    /// <summary>Null: what it says is no date, such as microseconds.</summary>
    /// <param name="milliseconds">Since 1970.</param>
    public static DateTimeOffset? Of(long milliseconds) =>
        milliseconds > 0 && milliseconds <= MillisecondsMax ? DateTimeOffset.FromUnixTimeMilliseconds(milliseconds) : null;
}
