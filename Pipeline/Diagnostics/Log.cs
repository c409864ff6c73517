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

    [LoggerMessage(1004, LogLevel.Information,
        "PostgresToKafka: standing by: another instance captures this table, since {Since:u} at least")]
    public static partial void StandingBy(this ILogger logger, DateTimeOffset since);

    [LoggerMessage(1005, LogLevel.Information,
        "PostgresToKafka: nothing new since {Since:u}; all that was committed before {CapturedUpTo:u} is in the topic")]
    public static partial void NothingNew(this ILogger logger, DateTimeOffset since, DateTimeOffset capturedUpTo);

    // 2xxx: publishing to Kafka
    [LoggerMessage(2001, LogLevel.Information,
        "no position yet, neither in the watermark file nor in the topic: the whole table is captured first")]
    public static partial void StartingAfresh(this ILogger logger);

    [LoggerMessage(2002, LogLevel.Information, "the topic is ahead of the watermark file: going on behind window {Window}, page {Page}")]
    public static partial void RecoveredFromTopic(this ILogger logger, long window, int page);

    [LoggerMessage(2003, LogLevel.Information,
        "PostgresToKafka: {Rows:N0} rows, {Pages} pages, {Bytes:N0} bytes, lag {LagSeconds:0.0} s, "
        + "took {DurationMs:N0} ms, window {Window}{More}")]
    public static partial void Published(
        this ILogger logger, long rows, int pages, long bytes, double lagSeconds, double durationMs, long window, string more);

    [LoggerMessage(2004, LogLevel.Information,
        "PostgresToKafka: {Rows:N0} rows, {Pages} pages, {Bytes:N0} bytes, {Reading}, "
        + "took {DurationMs:N0} ms, window {Window}{More}")]
    public static partial void PublishedBacklog(
        this ILogger logger, long rows, int pages, long bytes, string reading, double durationMs, long window, string more);

    // 3xxx: storing in the lake
    [LoggerMessage(3001, LogLevel.Information,
        "KafkaToLake: {Rows:N0} rows, {Quarantined} quarantined, {Files} files, {Bytes:N0} bytes, {Partitions} partitions, "
        + "lag {LagSeconds:0.0} s, took {DurationMs:N0} ms")]
    public static partial void BatchStored(
        this ILogger logger, long rows, long quarantined, int files, long bytes, int partitions, double lagSeconds, double durationMs);

    [LoggerMessage(3002, LogLevel.Warning,
        "quarantined {Records} records of partition {Partition}, the first at offset {Offset}: {Reason}; they are kept in '{Path}'")]
    public static partial void RecordsQuarantined(
        this ILogger logger, long records, int partition, long offset, string reason, string path);

    [LoggerMessage(3003, LogLevel.Information,
        "partition {Partition}: another instance stored up to offset {NextOffset}; the rest of this batch is taken from there")]
    public static partial void PartitionSuperseded(this ILogger logger, int partition, long nextOffset);

    [LoggerMessage(3004, LogLevel.Information,
        "partition {Partition}: the lake has all below offset {NextOffset}, a batch begins at {Offset}; "
        + "what lies between is read from Kafka")]
    public static partial void GapRead(this ILogger logger, int partition, long nextOffset, long offset);

    [LoggerMessage(3005, LogLevel.Warning,
        "partition {Partition}: this lake is new and Kafka no longer has the first {Records} offsets; it begins at offset {Offset}")]
    public static partial void LakeBeginsAt(this ILogger logger, int partition, long records, long offset);

    [LoggerMessage(3006, LogLevel.Warning,
        "partition {Partition}: Kafka has lost {Records} offsets from {NextOffset} on; going on at {Offset}, since '{Path}' says so")]
    public static partial void LossAccepted(this ILogger logger, int partition, long records, long nextOffset, long offset, string path);

    [LoggerMessage(3007, LogLevel.Information,
        "partition {Partition}: no record names its schema; the table's present one, {Fingerprint}, is used from offset {Offset} on")]
    public static partial void SchemaAssumed(this ILogger logger, int partition, string fingerprint, long offset);

    [LoggerMessage(3011, LogLevel.Information, "KafkaToLake: {Records:N0} records were delivered again; the lake has them already")]
    public static partial void DeliveredAgain(this ILogger logger, long records);

    [LoggerMessage(3010, LogLevel.Warning, "temporary files that crashed writers left could not be removed; it is tried again in a day")]
    public static partial void TemporaryFilesNotRemoved(this ILogger logger, Exception cause);

    [LoggerMessage(3009, LogLevel.Warning,
        "partition {Partition}: the lake has more than its commit log says, which was lost or is an old copy; "
        + "from the files' footers it goes on at offset {NextOffset}")]
    public static partial void LogRecovered(this ILogger logger, int partition, long nextOffset);

    [LoggerMessage(3008, LogLevel.Information, "removed {Files} temporary files that crashed writers left")]
    public static partial void TemporaryFilesRemoved(this ILogger logger, int files);

    // 9xxx: the host
    [LoggerMessage(9001, LogLevel.Information, "stopping: {Reason}")]
    public static partial void Stopping(this ILogger logger, string reason);

    [LoggerMessage(9002, LogLevel.Warning, "{Half}: {Problem} {Remedy}")]
    public static partial void HalfRetries(this ILogger logger, string half, string problem, string remedy);

    [LoggerMessage(9003, LogLevel.Information, "{Half}: works again after {Seconds:0.0} s, {Attempts} attempts")]
    public static partial void HalfRecovered(this ILogger logger, string half, double seconds, int attempts);

    [LoggerMessage(9004, LogLevel.Error, "{Half} stopped: {Problem} {Remedy}")]
    public static partial void HalfStopped(this ILogger logger, string half, string problem, string remedy, Exception cause);

    [LoggerMessage(9005, LogLevel.Information, "table {Table} -> topic {Topic} -> lake {Path}")]
    public static partial void Running(this ILogger logger, string table, string topic, string path);

    [LoggerMessage(9010, LogLevel.Information, "status page: {Address}")]
    public static partial void StatusPageServed(this ILogger logger, Uri address);

    [LoggerMessage(9011, LogLevel.Warning,
        "the status page listens at {Address}: whoever reaches this machine can read it, and no login is asked for")]
    public static partial void StatusPageIsOpen(this ILogger logger, string address);
}
