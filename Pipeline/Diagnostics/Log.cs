using Microsoft.Extensions.Logging;

namespace OrdersStream.Diagnostics;

/// <summary>
/// Every line that the product logs. Ids: 1xxx reading Postgres, 2xxx publishing to Kafka, 3xxx storing in the lake,
/// 9xxx the host. Never a row's value, never a secret (invariant 9). ERROR means loss or a human is needed; WARN means odd, nothing lost.
/// </summary>
public static partial class Log
{
    // 1xxx: reading Postgres
    [LoggerMessage(1001, LogLevel.Information, "capturing {Source}: {Columns} columns, schema {Fingerprint}")]
    public static partial void SourceOpened(this ILogger logger, string source, int columns, string fingerprint);

    [LoggerMessage(1002, LogLevel.Warning, "source: {Warning}")]
    public static partial void SourceWarning(this ILogger logger, string warning);

    [LoggerMessage(1003, LogLevel.Warning, "reading rows from {LowerBound:O} on again, some may be published twice: {Reason}")]
    public static partial void Rereading(this ILogger logger, string reason, DateTime? lowerBound);

    [LoggerMessage(1004, LogLevel.Information, "standing by: another instance captures this table")]
    public static partial void StandingBy(this ILogger logger);

    // 2xxx: publishing to Kafka
    [LoggerMessage(2001, LogLevel.Information, "no position yet, neither in the watermark file nor in the topic: the whole table is captured first")]
    public static partial void StartingAfresh(this ILogger logger);

    [LoggerMessage(2002, LogLevel.Information, "the topic is ahead of the watermark file: going on behind window {Window}, page {Page}")]
    public static partial void RecoveredFromTopic(this ILogger logger, long window, int page);

    [LoggerMessage(2003, LogLevel.Information, "PostgresToKafka: {Rows} rows in {Pages} pages, {Bytes} bytes, {DurationMs:0} ms, window {Window}{More}")]
    public static partial void Published(this ILogger logger, long rows, int pages, long bytes, double durationMs, long window, string more);

    // 3xxx: storing in the lake

    // 9xxx: the host
    [LoggerMessage(9001, LogLevel.Information, "stopping: {Reason}")]
    public static partial void Stopping(this ILogger logger, string reason);
}
