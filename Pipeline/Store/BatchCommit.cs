using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.Memory;
using OrdersStream.ParquetFormat;

namespace OrdersStream.Store;

/// <summary>What one commit of all partitions did.</summary>
internal sealed record Committed(BatchResult Result, IReadOnlyList<int> Superseded);

/// <summary>
/// Makes a batch part of the lake, in the one order that survives a crash anywhere: files under hidden names, fsynced;
/// the log entry, which is the commit; the final names (invariants 3, 4 and 5).
/// </summary>
internal sealed class BatchCommit(StoreContext context)
{
    /// <summary>A temporary file older than this is not committed: <see cref="LeftoverFiles"/> may take it at a day.</summary>
    public static readonly TimeSpan TemporaryAgeMax = TimeSpan.FromHours(1);

    private const int WritersMax = 4;

    /// <summary>Files that are encoded before the first of them is written: encoded, each column of a file of few rows takes KiB.</summary>
    private const int EncodedMax = 64;

    public async Task<Committed> RunAsync(IReadOnlyList<PartitionBatch> batches, CancellationToken cancellationToken)
    {
        if (batches.Count == 0) return new Committed(BatchResult.Nothing, []);
        var begun = context.Time.GetUtcNow();
        var started = context.Time.GetTimestamp();
        var oldest = batches.Where(b => !b.IsEmpty).Select(b => b.FirstTimestampMs).DefaultIfEmpty().Min();
        context.Owner.Check();
        var (pending, lost) = Divide(batches.Select(b => new PendingCommit(b, context.NewWriterId())));
        await WriteAsync([.. pending.SelectMany(p => p.Files)], cancellationToken);
        CheckAge(begun);
        CheckWritten([.. pending.SelectMany(p => p.Files)]);

        var entries = pending.Select(p => (p.Batch, Entry: p.ToEntry(context.Topic.Identity, context.Time.GetUtcNow()))).ToList();
        var won = Append(entries);
        Publish([.. won.Select(e => e.Entry)], [.. won.Select(e => e.Batch)]);
        foreach (var (batch, entry) in entries.Except(won))
        {
            TryDelete(entry);
            batch.Stored.Reload();
            lost.Add(batch);
        }
        foreach (var batch in lost) context.Logger.PartitionSuperseded(batch.Partition, batch.Stored.State.NextOffset);

        context.Leftovers.SweepWhenDue();
        var result = Count(won.Select(e => e.Entry), context.Time.GetElapsedTime(started));
        if (result is not { Rows: 0, Quarantined: 0 })
        {
            if (RecordTime.Of(oldest) is { } time) result = result with { Lag = Since(time) };
            Report(result, won.Count);
        }
        return new Committed(result, [.. lost.Select(b => b.Partition)]);
    }

    // A final name that is taken before the commit: another instance stored this batch, or the file is none of ours.
    private (List<PendingCommit> Pending, List<PartitionBatch> Lost) Divide(IEnumerable<PendingCommit> commits)
    {
        List<PendingCommit> pending = [];
        List<PartitionBatch> lost = [];
        foreach (var commit in commits)
        {
            if (context.Names.FindTaken(commit.Files.Select(f => f.Path)) is not { } taken) pending.Add(commit);
            else if (commit.Batch.Stored.Reload()) lost.Add(commit.Batch);
            else throw FinalNames.Foreign(taken);
        }
        return (pending, lost);
    }

    // Step 1: the hidden names are durable before the entry that lists them is.
    private async Task WriteAsync(IReadOnlyList<PendingFile> files, CancellationToken cancellationToken)
    {
        try
        {
            var options = new ParallelOptions
            {
                MaxDegreeOfParallelism = Math.Min(WritersMax, Environment.ProcessorCount), CancellationToken = cancellationToken,
            };
            foreach (var some in files.Chunk(EncodedMax))
            {
                foreach (var file in some) file.Rows?.Finish();
                await Parallel.ForEachAsync(some, options, async (file, token) => await WriteAsync(file, token));
                foreach (var file in some) file.Rows?.DropEncoded();
                if (files.Count > EncodedMax) LargeAllocations.CollectYoung();
            }
            context.Lake.SyncNames(files.Select(f => f.Path), CrashPoint.TemporaryNamesSynced);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or OperationCanceledException)
        {
            // No entry names them yet; a full disk must not fill further with each try.
            foreach (var file in files) TryDelete(file.TemporaryPath);
            throw;
        }
    }

    private async Task WriteAsync(PendingFile file, CancellationToken cancellationToken) =>
        file.Bytes = await context.Lake.WriteHiddenAsync(
            file.TemporaryPath, (stream, token) => WriteAsync(file, stream, token), cancellationToken);

    private async Task WriteAsync(PendingFile file, Stream stream, CancellationToken cancellationToken)
    {
        if (file.Rows is not { } rows)
        {
            await stream.WriteAsync(file.Lines, cancellationToken);
            return;
        }
        // Check just before writing: the footer, the name and the log say the same.
        var footer = new FileFooter(
            context.Topic.Identity, file.Name.Partition, rows.FirstOffset, rows.LastOffset, rows.Rows, rows.Schema.Fingerprint,
            rows.Version);
        await ParquetFileWriter.WriteAsync(stream, rows, footer.ToMetadata(), cancellationToken);
    }

    // Step 2.
    private List<(PartitionBatch Batch, CommitEntry Entry)> Append(IReadOnlyList<(PartitionBatch Batch, CommitEntry Entry)> entries)
    {
        var won = new List<(PartitionBatch, CommitEntry)>();
        for (var i = 0; i < entries.Count; i++)
        {
            var (batch, entry) = entries[i];
            try
            {
                // Invariant 6: what lies where the lake is not any more is not committed.
                context.Owner.Check();
                if (batch.Stored.TryAppend(entry)) won.Add(entries[i]);
            }
            catch (PipelineException)
            {
                foreach (var (_, left) in entries.Skip(i)) TryDelete(left);
                throw;
            }
            catch (IOException e)
            {
                // Of this entry it may be unknown whether it is in the log, and its files are kept then; of those behind it, it is known.
                foreach (var (_, left) in entries.Skip(DurableFile.IsRefusal(e) && !batch.Stored.Has(entry) ? i : i + 1)) TryDelete(left);
                throw;
            }
        }
        return won;
    }

    // Step 3.
    private void Publish(IReadOnlyList<CommitEntry> entries, IReadOnlyList<PartitionBatch> batches)
    {
        for (var i = 0; i < entries.Count; i++) batches[i].Stored.Name(entries[i]);
        context.Lake.SyncNames(entries.SelectMany(e => e.AllFiles).Select(f => f.Path), CrashPoint.DirectorySynced);
        for (var i = 0; i < entries.Count; i++)
        {
            batches[i].Stored.Adopt(entries[i]);
            TryPrune(batches[i]);
            Report(batches[i], entries[i]);
        }
    }

    // The batch is committed and visible: what is left of old entries goes with the next.
    private static void TryPrune(PartitionBatch batch)
    {
        try
        {
            batch.Stored.Prune();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
        }
    }

    // What was written below the mount point of a lake that was away for a moment is not in it.
    private void CheckWritten(IReadOnlyList<PendingFile> files)
    {
        var gone = files.Count(f => context.Lake.Find(f.TemporaryPath)?.Bytes != f.Bytes);
        if (gone == 0) return;
        context.Owner.Check();
        var verdict = new FailureVerdict(FailureAction.Retry,
            $"The lake's volume went away for a moment: of {files.Count} files that were just written, {gone} are not in "
            + $"'{context.Lake.Locate("")}'.",
            "The batch is written again.", SeesItself: true);
        throw new PipelineException(verdict with { Kind = "lake away" });
    }

    private void CheckAge(DateTimeOffset begun)
    {
        var age = context.Time.GetUtcNow() - begun;
        if (age <= TemporaryAgeMax) return;
        var verdict = new FailureVerdict(FailureAction.Retry,
            $"Writing a batch's files took {age.TotalMinutes:0} minutes, "
            + $"and nothing older than {TemporaryAgeMax.TotalMinutes:0} is committed.",
            "The batch is written again. Lower datalake.batch_bytes if the disk is that slow; nothing is wrong if the machine slept.");
        throw new PipelineException(verdict with { Kind = "slow batch" });
    }

    private void Report(PartitionBatch batch, CommitEntry entry)
    {
        foreach (var file in entry.Quarantine)
            context.Logger.RecordsQuarantined(
                file.Rows, batch.Partition, file.FirstOffset, batch.Quarantine.FirstReason, context.Lake.Locate(file.Path));
    }

    private void Report(BatchResult result, int partitions) => context.Logger.BatchStored(
        result.Rows, result.Quarantined, result.Files, result.Bytes, partitions, result.Lag?.TotalSeconds ?? double.NaN,
        result.Duration.TotalMilliseconds);

    private TimeSpan Since(DateTimeOffset oldest)
    {
        var since = context.Time.GetUtcNow() - oldest;
        return since > TimeSpan.Zero ? since : TimeSpan.Zero;
    }

    private static BatchResult Count(IEnumerable<CommitEntry> entries, TimeSpan duration) => entries.Aggregate(
        BatchResult.Nothing with { Duration = duration },
        (sum, entry) => sum with
        {
            Rows = sum.Rows + entry.Files.Sum(f => f.Rows),
            Quarantined = sum.Quarantined + entry.Quarantine.Sum(f => f.Rows),
            Files = sum.Files + entry.Files.Count,
            Bytes = sum.Bytes + entry.Files.Sum(f => f.Bytes),
        });

    private void TryDelete(CommitEntry entry)
    {
        foreach (var file in entry.AllFiles) TryDelete(file.TemporaryPath);
    }

    private void TryDelete(string path)
    {
        try
        {
            context.Lake.Remove(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The sweep takes it in a day.
        }
    }
}

/// <summary>One partition's share of a commit: its files, and the log entry that will name them.</summary>
internal sealed class PendingCommit
{
    private readonly string writerId;

    public PendingCommit(PartitionBatch batch, string writerId)
    {
        Batch = batch;
        this.writerId = writerId;
        Files = [.. DataFiles(batch, writerId), .. QuarantineFile(batch, writerId), .. ReplaysFile(batch, writerId)];
    }

    public PartitionBatch Batch { get; }
    public IReadOnlyList<PendingFile> Files { get; }

    public CommitEntry ToEntry(TopicIdentity topic, DateTimeOffset now) => new(
        Batch.Stored.NextSequence, writerId, now, topic, Batch.Partition,
        Batch.IsEmpty ? Batch.Before.NextOffset : Batch.FirstOffset, Batch.DecidedOffset - 1,
        Of(LakeFileKind.Data), Of(LakeFileKind.Quarantine),
        Batch.After with
        {
            Bytes = Batch.Before.Bytes + Files.Where(f => f.Name.Kind == LakeFileKind.Data).Sum(f => f.Bytes),
            Began = Batch.Stored.IsNew ? DateOnly.FromDateTime(now.UtcDateTime) : Batch.Before.Began,
        },
        Batch.Replays.Count > 0 ? Of(LakeFileKind.Replayed) : null);

    private IReadOnlyList<CommittedFile> Of(LakeFileKind kind) => [.. Files.Where(f => f.Name.Kind == kind).Select(f => f.ToCommitted())];

    private static IEnumerable<PendingFile> DataFiles(PartitionBatch batch, string writerId) => batch.Files.Select(f => new PendingFile(
        f.Folder, new LakeFileName(
            LakeFileKind.Data, batch.Partition, f.Columns.FirstOffset, f.Columns.LastOffset, batch.Before.Generation),
        writerId, f.Columns, default, f.Columns.Rows));

    private static IEnumerable<PendingFile> QuarantineFile(PartitionBatch batch, string writerId)
    {
        var lines = batch.Quarantine;
        if (lines.Records == 0) yield break;
        yield return new PendingFile(
            LakePath.QuarantineFolder,
            new LakeFileName(LakeFileKind.Quarantine, batch.Partition, lines.FirstOffset, lines.LastOffset, batch.Before.Generation),
            writerId, null, lines.Written, lines.Records);
    }

    // Behind the files of what came again: it gets its name last.
    private static IEnumerable<PendingFile> ReplaysFile(PartitionBatch batch, string writerId)
    {
        var marks = batch.Replays;
        if (marks.Count == 0) yield break;
        yield return new PendingFile(
            LakePath.QuarantineFolder,
            new LakeFileName(LakeFileKind.Replayed, batch.Partition, marks.FirstOffset, marks.LastOffset, batch.Before.Generation),
            writerId, null, marks.Written(), marks.Count);
    }
}

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
