using Microsoft.Extensions.Logging;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;
using OrdersStream.Lake.Files;

namespace OrdersStream.Lake;

/// <summary>
/// A commit log that was lost, or restored from an old copy, knows less than the lake has, and would store it twice
/// (invariant 3). The files themselves say what they hold: the log is brought up to them before the first record is taken.
/// </summary>
internal sealed class LogRecovery(ILakeFiles lake, string writerPrefix, TopicIdentity topic, TimeProvider time, ILogger logger)
{
    private Dictionary<int, long>? lastOffsets;

    /// <summary>Reads the partition's log, and mends it where the lake is ahead of it.</summary>
    public async Task OpenAsync(StoredPartition stored, string writerId, CancellationToken cancellationToken)
    {
        // Listed before the log is read: what another instance commits in between is in the log, not only in the lake.
        lastOffsets ??= ListLastOffsets();
        stored.Reload();
        if (lastOffsets.GetValueOrDefault(stored.Partition, -1) < stored.State.NextOffset) return;
        if (await FindStateAsync(stored, cancellationToken) is not { } found) return;
        var entry = new CommitEntry(
            stored.NextSequence, writerId, time.GetUtcNow(), topic, stored.Partition,
            stored.State.NextOffset, found.NextOffset - 1, [], [], found);
        if (stored.TryAppend(entry)) stored.Adopt(entry);
        else stored.Reload();
        logger.LogRecovered(stored.Partition, stored.State.NextOffset);
    }

    private async Task<PartitionState?> FindStateAsync(StoredPartition stored, CancellationToken cancellationToken)
    {
        var state = stored.State;
        var newestRow = -1L;
        var ahead = Files().Where(f => f.Name.Partition == stored.Partition && f.Name.LastOffset >= stored.State.NextOffset);
        foreach (var (path, name) in ahead)
        {
            if (name.Kind == LakeFileKind.Quarantine)
            {
                state = state with { Quarantined = state.Quarantined + QuarantineLines.CountIn(lake, path) };
            }
            else
            {
                var footer = await ReadFooterAsync(path, cancellationToken);
                // A lake may be shared with another topic.
                if (!footer.Topic.Matches(topic)) continue;
                state = state with { Rows = state.Rows + footer.Rows, Files = state.Files + 1 };
                if (footer.LastOffset > newestRow)
                {
                    newestRow = footer.LastOffset;
                    state = state with { Fingerprint = footer.SchemaFingerprint, FingerprintAssumed = false };
                }
            }
            state = state with { NextOffset = Math.Max(state.NextOffset, name.LastOffset + 1), PageEnded = false };
        }
        if (state == stored.State) return null;
        CheckNothingIsHidden(stored.Partition, state.NextOffset);
        return state;
    }

    // A commit whose files are partly renamed cannot be told from one that was given up, once its entry is lost.
    private void CheckNothingIsHidden(int partition, long nextOffset)
    {
        foreach (var path in lake.ListAll(""))
        {
            if (!LakePath.TryParseTemporary(LakeFilesReading.NameOf(path), writerPrefix, out var name)) continue;
            if (name.Partition != partition || name.FirstOffset >= nextOffset) continue;
            throw new PipelineException(FailureAction.Stop,
                $"The commit log of partition {partition} is lost or older than the lake, and "
                + $"'{LakePath.WithoutValues(lake.Locate(path), lake.Locate(""))}' may hold rows that it had committed.",
                "Restore the newest copy of streaming.checkpoint_location. "
                + "Without one, look whether the file's _offset values are in the lake: "
                + "if they are, delete it; if not, rename it to its final name.");
        }
    }

    private async Task<FileFooter> ReadFooterAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            return await LakeReader.ReadFooterAsync(lake, path, cancellationToken);
        }
        catch (FormatException e)
        {
            throw new PipelineException(FailureAction.Stop,
                $"A file is named like one of this lake but cannot be read as one: {e.Message}",
                "Restore it from a backup, or move it away if it is another program's.", e);
        }
    }

    private Dictionary<int, long> ListLastOffsets()
    {
        var last = new Dictionary<int, long>();
        foreach (var (_, name) in Files()) last[name.Partition] = Math.Max(last.GetValueOrDefault(name.Partition, -1), name.LastOffset);
        return last;
    }

    private IEnumerable<(string Path, LakeFileName Name)> Files()
    {
        foreach (var path in lake.ListAll(""))
            if (LakePath.TryParse(path, out var name)) yield return (path, name);
    }
}
