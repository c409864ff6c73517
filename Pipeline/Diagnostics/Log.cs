using Microsoft.Extensions.Logging;

namespace OrdersStream.Diagnostics;

/// <summary>
/// Every line that the product logs. Ids: 1xxx reading Postgres, 2xxx publishing to Kafka, 3xxx storing in the lake,
/// 4xxx comparing, 9xxx the host. Never a row's value, never a secret (invariant 9). ERROR means loss or a human is needed; WARN means
/// odd, nothing lost.
/// </summary>
public static partial class Log
{
    // 1xxx: reading Postgres
    [LoggerMessage(1001, LogLevel.Information, "capturing {Source}: {Columns} columns, schema {Fingerprint}")]
    public static partial void SourceOpened(this ILogger logger, string source, int columns, string fingerprint);

    [LoggerMessage(1002, LogLevel.Warning, "source: {Warning}")]
    public static partial void SourceWarning(this ILogger logger, string warning);

    [LoggerMessage(1003, LogLevel.Warning, "reading {Rows} again, some may be published twice: {Reason}")]
    public static partial void Rereading(this ILogger logger, string reason, string rows);

    [LoggerMessage(1004, LogLevel.Information,
        "PostgresToKafka: standing by: another instance captures this table, since {Since:u} at least{Holder}")]
    public static partial void StandingBy(this ILogger logger, DateTimeOffset since, string holder);

    [LoggerMessage(1005, LogLevel.Information,
        "PostgresToKafka: nothing new since {Since:u}; all that was committed before {CapturedUpTo:u} is in the topic")]
    public static partial void NothingNew(this ILogger logger, DateTimeOffset since, DateTimeOffset capturedUpTo);

    [LoggerMessage(1006, LogLevel.Warning,
        "PostgresToKafka: committed rows are held back: more than {SeenTransactions:N0} transactions were committed behind {Holder}. "
        + "They are published when that one ends; or raise postgres.seen_transactions and start again")]
    public static partial void RowsHeldBack(this ILogger logger, int seenTransactions, string holder);

    [LoggerMessage(1007, LogLevel.Information,
        "PostgresToKafka: nothing published since {Since:u}; committed rows are still held back, behind {Holder}")]
    public static partial void StillHeldBack(this ILogger logger, DateTimeOffset since, string holder);

    [LoggerMessage(1008, LogLevel.Information, "PostgresToKafka: no row is held back any more, after {Seconds:0} s")]
    public static partial void NoLongerHeldBack(this ILogger logger, double seconds);

    [LoggerMessage(1009, LogLevel.Warning,
        "PostgresToKafka: session {Pid} ({Application}), there for {Seconds:N0} s, does not show when its transaction began: "
        + "until it ends, each window reads as far back as the last one before it")]
    public static partial void TransactionHidden(this ILogger logger, int pid, string application, double seconds);

    [LoggerMessage(1010, LogLevel.Information,
        "PostgresToKafka: session {Pid} no longer hides a transaction; windows read back as far as is needed")]
    public static partial void NothingHidden(this ILogger logger, int pid);

    [LoggerMessage(1011, LogLevel.Information,
        "all rows of the table are looked at once, whatever their time, for what was written since: {Why}")]
    public static partial void LookingAtAllRows(this ILogger logger, string why);

    [LoggerMessage(1012, LogLevel.Warning,
        "values in the table read otherwise than in the lake, and are left so by postgres.changed_values: {Why}")]
    public static partial void ChangedValuesLeft(this ILogger logger, string why);

    [LoggerMessage(1013, LogLevel.Information,
        "the server was started anew, and may give transaction ids again: those behind the newest row that is as it was count no longer, "
        + "and rows that have them are looked at again; some may be published twice")]
    public static partial void LookingAgainAfterRestart(this ILogger logger);

    [LoggerMessage(1014, LogLevel.Information,
        "PostgresToKafka: waiting for the lock of {Table}, which all that changes a table takes: it is behind {Holders}")]
    public static partial void WaitingForLock(this ILogger logger, string table, string holders);

    [LoggerMessage(1015, LogLevel.Information, "the table's columns changed: {Changes}")]
    public static partial void ColumnsChanged(this ILogger logger, string changes);

    [LoggerMessage(1016, LogLevel.Information,
        "PostgresToKafka: {Reading}: {Rows:N0} rows{Share} are in the topic, {Rate:N0} rows/s{Rest}")]
    public static partial void WholeTableRead(this ILogger logger, string reading, long rows, string share, double rate, string rest);

    [LoggerMessage(1017, LogLevel.Warning,
        "the last window before this one was read {Hours:0} h ago: if another stream of the table has removed rows of {Table} since, their "
        + "deletes are missing in this stream's lake, which the audit counts; postgres.deletes: audit publishes them")]
    public static partial void TombstonesMayBeGone(this ILogger logger, double hours, string table);

    [LoggerMessage(1018, LogLevel.Warning,
        "a trigger that writes into {Table}, or its function, was changed, or off, since the last window: deletes of that time may not be "
        + "captured (verify finds them, and repair publishes them)")]
    public static partial void DeletesInDoubt(this ILogger logger, string table);

    [LoggerMessage(1019, LogLevel.Warning,
        "the key ({Key}) may read otherwise than in the lake, where a label of its enum was renamed, or a column of it rewritten: then "
        + "rows stay there under the old keys, beside the new ones (verify finds them)")]
    public static partial void KeysInDoubt(this ILogger logger, string key);

    [LoggerMessage(1020, LogLevel.Warning,
        "tombstones that were published a day ago cannot be removed from {Table} now ({Reason}): they stay, which costs room and nothing "
        + "else, and it is tried again in an hour")]
    public static partial void TombstonesKept(this ILogger logger, string table, string reason);

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

    [LoggerMessage(2005, LogLevel.Warning, "topic {Topic}: {Warning}")]
    public static partial void TopicWarning(this ILogger logger, string topic, string warning);

    [LoggerMessage(2006, LogLevel.Information, "topic {Topic}: {Fact}")]
    public static partial void TopicFact(this ILogger logger, string topic, string fact);

    [LoggerMessage(2007, LogLevel.Warning,
        "a row of {Table} is left out: {Size:N0} bytes are more than a record may have ({Limit:N0}); it is kept in '{Path}'")]
    public static partial void RowLeftOut(this ILogger logger, string table, long size, long limit, string path);

    [LoggerMessage(2010, LogLevel.Warning,
        "page {Page} was torn by Kafka: it is missing in {Missing} of its {Partitions} partitions; {Rows:N0} rows of it are sent again")]
    public static partial void PageSentAgain(this ILogger logger, long page, int missing, int partitions, int rows);

    [LoggerMessage(2011, LogLevel.Information,
        "the connection to the brokers was disturbed during page {Page}: the publisher is made anew, so that nothing late is taken for it")]
    public static partial void PublisherRenewed(this ILogger logger, long page);

    [LoggerMessage(2012, LogLevel.Warning,
        "the brokers lost the end of the topic: {Offsets:N0} offsets of {Partitions} partitions that they had acknowledged are gone; "
        + "what is still in the table is captured again from page {Page} on, some of it twice")]
    public static partial void AcknowledgedEndLost(this ILogger logger, long offsets, int partitions, long page);

    [LoggerMessage(2013, LogLevel.Information,
        "PostgresToKafka: {Rows:N0} rows in {Pages} pages were published again, asked for by {Reason}{More}")]
    public static partial void Repaired(this ILogger logger, string reason, long rows, int pages, string more);

    [LoggerMessage(2014, LogLevel.Warning, "the request {File} to publish rows again is dropped, since {Why}; ask again")]
    public static partial void RepairDropped(this ILogger logger, string file, string why);

    [LoggerMessage(2015, LogLevel.Warning, "PostgresToKafka: page {Page} has been waiting for the brokers for {Seconds:0} s: {Why}")]
    public static partial void PageWaits(this ILogger logger, long page, double seconds, string why);

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

    [LoggerMessage(3012, LogLevel.Warning,
        "partition {Partition}: {Records:N0} records do not count, of {Repeated} pages that the lake has already "
        + "and of {Unfinished} that were not finished; nothing is lost by it")]
    public static partial void PagesDropped(this ILogger logger, int partition, long records, int repeated, int unfinished);

    [LoggerMessage(3022, LogLevel.Warning,
        "partition {Partition}: {Records:N0} records do not count, of pages below number {Page}: a publisher that slept sent them behind "
        + "its successor's fence, and that one reads their rows again. Where no second poller ran, the clock that pages are numbered by "
        + "was ahead before, and their rows are missing: start a new stream (docs/operations.md)")]
    public static partial void LateRecordsDropped(this ILogger logger, int partition, long records, long page);

    [LoggerMessage(3013, LogLevel.Warning,
        "partition {Partition}: the brokers lost the end of the topic, of which the lake has all below offset {NextOffset}; "
        + "what the lake has stays, and what they wrote since is read from offset {Offset} on")]
    public static partial void TopicEndLost(this ILogger logger, int partition, long nextOffset, long offset);

    [LoggerMessage(3014, LogLevel.Warning,
        "partition {Partition}: page {Missing} was published and is nowhere in the topic, the lake has all up to page {Newest}: "
        + "the brokers lost it, or retention did; capture sends again what the brokers had acknowledged and lost")]
    public static partial void PageMissing(this ILogger logger, int partition, long missing, long newest);

    [LoggerMessage(3023, LogLevel.Warning,
        "partition {Partition}: whole pages that were published are nowhere in the topic; places so far: {Places}. "
        + "verify says whether the lake lacks rows by it, and the audit brings those that are still in the table. "
        + "To hear no more of these places, create the empty file '{Path}'")]
    public static partial void PagesMissing(this ILogger logger, int partition, long places, string path);

    [LoggerMessage(3010, LogLevel.Warning, "temporary files that crashed writers left could not be removed; it is tried again in a day")]
    public static partial void TemporaryFilesNotRemoved(this ILogger logger, Exception cause);

    [LoggerMessage(3009, LogLevel.Warning,
        "partition {Partition}: the lake has more than its commit log says, which was lost or is an old copy; "
        + "from the files' footers it goes on at offset {NextOffset}")]
    public static partial void LogRecovered(this ILogger logger, int partition, long nextOffset);

    [LoggerMessage(3008, LogLevel.Information, "removed {Files} temporary files that crashed writers left")]
    public static partial void TemporaryFilesRemoved(this ILogger logger, int files);

    [LoggerMessage(3015, LogLevel.Warning,
        "rows of {Folders:N0} folders are in one batch, which was committed early: its {Files:N0} files held {HeldMiB:0} MiB of memory, "
        + "with {RowsPerFile:0.0} rows each on average. A coarser datalake.partition_by makes fewer and larger files; so does a higher "
        + "datalake.batch_bytes, if the process may have that much more memory. This is said once an hour")]
    public static partial void BatchCutByFolders(this ILogger logger, int folders, int files, double heldMiB, double rowsPerFile);

    [LoggerMessage(3016, LogLevel.Warning,
        "partition {Partition}: page {Page} begins at offset {Offset} and does not end before offset {NextOffset}: it is given up with the "
        + "{WaitingMiB:0} MiB behind it; what cannot be told from its records is kept in quarantine")]
    public static partial void PageGivenUp(
        this ILogger logger, int partition, long page, long offset, double waitingMiB, long nextOffset);

    [LoggerMessage(3018, LogLevel.Warning,
        "folders of the lake are named {Folder}=..., as an earlier version named them, and column {Column} of the table is named so too: "
        + "a reader that makes columns of folders' names does not see the column's own values. Read the lake as datalake/README.md says, "
        + "or begin a new one, whose folders are named by_...")]
    public static partial void ColumnShadowed(this ILogger logger, string folder, string column);

    [LoggerMessage(3019, LogLevel.Warning,
        "the lake has folders named {Other}=..., and new ones are named otherwise: a reader that makes columns of folders' names refuses "
        + "to read both. Read the lake as datalake/README.md says, or give datalake.partition_by and datalake.folder_name back the values "
        + "that they had")]
    public static partial void FoldersOfOtherNames(this ILogger logger, string other);

    [LoggerMessage(3020, LogLevel.Warning,
        "the lake holds files that this program has not written, such as '{Path}': readers meet their rows, and may refuse to read both; "
        + "move them away, with all that their program left there")]
    public static partial void ForeignFiles(this ILogger logger, string path);

    [LoggerMessage(3021, LogLevel.Warning,
        "consumer group '{Group}' is shared with a program at {Host} that stores into another lake ({Other}; this one is {Own}): each of "
        + "both gets the records of some partitions only, and lacks the others'. Give each lake a kafka.group_id of its own: what is "
        + "missing is then read by itself")]
    public static partial void GroupShared(this ILogger logger, string group, string host, string other, string own);

    [LoggerMessage(3017, LogLevel.Warning,
        "partition {Partition}: from offset {Offset} on nothing can be read until the transaction ends that is open there; so {Hidden:N0} "
        + "offsets of {Partitions} partitions are hidden. {Remedy} This is said once a minute")]
    public static partial void EndHidden(
        this ILogger logger, int partition, long offset, long hidden, int partitions, string remedy);

    // 4xxx: comparing lake and table
    [LoggerMessage(4001, LogLevel.Information,
        "audit: {Rows:N0} rows were compared in {Seconds:N0} s, and lake and table are equal; {OnTheWay:N0} changed meanwhile")]
    public static partial void AuditEqual(this ILogger logger, long rows, long onTheWay, double seconds);

    [LoggerMessage(4002, LogLevel.Warning, "audit: {Problem} {Remedy}")]
    public static partial void AuditBrokenOff(this ILogger logger, string problem, string remedy);

    [LoggerMessage(EventId = 4003, Message =
        "audit: lake and table differ: of {Rows:N0} rows {Missing:N0} are missing, {Stale:N0} stale, {Extra:N0} extra, "
        + "{StoredTwice:N0} offsets stored twice, after {Seconds:N0} s{Cause}{Mending}")]
    public static partial void AuditDiffers(
        this ILogger logger, LogLevel level, long rows, long missing, long stale, long extra, long storedTwice, double seconds,
        string cause, string mending);

    [LoggerMessage(4004, LogLevel.Warning,
        "audit: {Extra:N0} rows of the lake are not in the table, and none of them is published as deleted: {Why}. {Remedy}")]
    public static partial void AuditDeletesHeld(this ILogger logger, long extra, string why, string remedy);

    [LoggerMessage(4006, LogLevel.Information,
        "audit: {Rows:N0} rows were compared; what repair has found since, at {RepairedAt:yyyy-MM-dd HH:mm:ssZ}, is newer, and stays")]
    public static partial void AuditOvertaken(this ILogger logger, long rows, DateTimeOffset repairedAt);

    [LoggerMessage(4005, LogLevel.Warning,
        "audit: {Lost:N0} row versions that the commit log has are in no file of the lake: files are gone. Put them back from a backup; "
        + "what is missing or stale is published again, and 'repair --accept-lost' accepts the loss of the others")]
    public static partial void AuditLost(this ILogger logger, long lost);

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
