using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.ParquetFormat;

namespace OrdersStream.Store;

/// <summary>A file that is about to be written: rows, or lines of quarantine.</summary>
internal sealed class PendingFile(
    string folder, LakeFileName name, string writerId, ColumnBatch? rows, ReadOnlyMemory<byte> lines, long records)
{
    public LakeFileName Name { get; } = name;
    public string Path { get; } = LakePath.Final(folder, name);
    public string TemporaryPath { get; } = LakePath.Temporary(LakePath.Final(folder, name), writerId);
    public ColumnBatch? Rows { get; } = rows;
    public ReadOnlyMemory<byte> Lines { get; } = lines;

    /// <summary>Size on disk, once it is written.</summary>
    public long Bytes { get; set; }

    public CommittedFile ToCommitted() => new(Path, TemporaryPath, records, Name.FirstOffset, Name.LastOffset, Bytes);
}

/// <summary>One partition's share of a commit: its files, and the log entry that will name them.</summary>
internal sealed class PendingCommit
{
    private readonly string writerId;

    public PendingCommit(PartitionBatch batch, string writerId)
    {
        Batch = batch;
        this.writerId = writerId;
        Files = [.. DataFiles(batch, writerId), .. QuarantineFile(batch, writerId)];
    }

    public PartitionBatch Batch { get; }
    public IReadOnlyList<PendingFile> Files { get; }

    public CommitEntry ToEntry(TopicIdentity topic, DateTimeOffset now) => new(
        Batch.Stored.NextSequence, writerId, now, topic, Batch.Partition, Batch.FirstOffset, Batch.NextOffset - 1,
        [.. Files.Where(f => f.Rows is not null).Select(f => f.ToCommitted())],
        [.. Files.Where(f => f.Rows is null).Select(f => f.ToCommitted())],
        Batch.After);

    private static IEnumerable<PendingFile> DataFiles(PartitionBatch batch, string writerId) => batch.Files.Select(f => new PendingFile(
        f.Folder, new LakeFileName(LakeFileKind.Data, batch.Partition, f.Columns.FirstOffset, f.Columns.LastOffset),
        writerId, f.Columns, default, f.Columns.Rows));

    private static IEnumerable<PendingFile> QuarantineFile(PartitionBatch batch, string writerId)
    {
        var lines = batch.Quarantine;
        if (lines.Records == 0) yield break;
        yield return new PendingFile(
            LakePath.QuarantineFolder,
            new LakeFileName(LakeFileKind.Quarantine, batch.Partition, lines.FirstOffset, lines.LastOffset),
            writerId, null, lines.Written, lines.Records);
    }
}
