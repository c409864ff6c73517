using Microsoft.Extensions.Logging;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;
using OrdersStream.Lake.Files;

namespace OrdersStream.Lake;

/// <summary>
/// A commit log that was lost, or restored from an old copy, knows less than the lake has, and would store it twice
/// (invariant 3). The files themselves say what they hold: the log is brought up to them before the first record is taken.
/// </summary>
/// <param name="lake">Where the files lie.</param>
/// <param name="writerPrefix">With which the ids of all begin who write there.</param>
/// <param name="topic">Whose log it is.</param>
/// <param name="restAtAsync">
/// The page whose rest, without its beginning, the topic has in a partition at an offset, where its number is not below the given one;
/// 0: none's.
/// </param>
/// <param name="time">When an entry was made.</param>
/// <param name="logger">Hears of what was mended.</param>
internal sealed class LogRecovery(
    ILakeFiles lake, string writerPrefix, TopicIdentity topic, Func<int, long, long, CancellationToken, Task<long>> restAtAsync,
    TimeProvider time, ILogger logger)
{
    private Dictionary<int, (int Generation, long Offset)>? lastOffsets;

    /// <summary>
    /// Partitions are to be opened: what the lake has is listed once for all of them, and not for those that come later. Their log may have
    /// been lost, or put back, since, and the lake have what others stored meanwhile.
    /// </summary>
    public void ListAnew() => lastOffsets = null;

    /// <summary>Reads the partition's log, and mends it where the lake is ahead of it.</summary>
    public async Task OpenAsync(StoredPartition stored, string writerId, CancellationToken cancellationToken)
    {
        // Listed before the log is read: what another instance commits in between is in the log, not only in the lake.
        lastOffsets ??= ListLastOffsets();
        stored.Reload();
        if (!IsAhead(lastOffsets.GetValueOrDefault(stored.Partition, (0, -1)), stored.State)) return;
        if (await FindStateAsync(stored, writerId, cancellationToken) is not { } found) return;
        var entry = new CommitEntry(
            stored.NextSequence, writerId, time.GetUtcNow(), topic, stored.Partition,
            stored.State.NextOffset, found.NextOffset - 1, [], [], found);
        if (stored.TryAppend(entry)) stored.Adopt(entry);
        else stored.Reload();
        logger.LogRecovered(stored.Partition, stored.State.NextOffset);
    }

    private async Task<PartitionState?> FindStateAsync(StoredPartition stored, string writerId, CancellationToken cancellationToken)
    {
        var ahead = Files()
            .Where(f => f.Name.Partition == stored.Partition && IsAhead((f.Name.Generation, f.Name.LastOffset), stored.State))
            .OrderBy(f => f.Name.Generation);
        var state = stored.State;
        var newestRow = -1L;
        foreach (var (path, name) in ahead)
        {
            // Offsets of a later generation began anew, below.
            if (name.Generation > state.Generation) (state, newestRow) = (state with { Generation = name.Generation, NextOffset = 0 }, -1);
            long records;
            if (name.Kind == LakeFileKind.Quarantine)
            {
                // Its name tells no topic.
                if (QuarantineLines.TopicIn(lake, path) != topic.Topic) continue;
                // A page of which no record is a row has no footer, and would seem to be new.
                var lines = QuarantineLines.ReadIn(lake, path, name).Select(line => line.Version).ToList();
                records = lines.Count;
                state = state with { Quarantined = state.Quarantined + records, Page = Math.Max(state.Page, lines.DefaultIfEmpty().Max()) };
            }
            else if (name.Kind == LakeFileKind.Replayed)
            {
                if (ReplayMarks.TopicIn(lake, path) != topic.Topic) continue;
                records = ReplayMarks.In(lake, path).Count;
                state = state with { Replayed = state.Replayed + records };
            }
            else
            {
                var footer = await ReadFooterAsync(path, cancellationToken);
                // A lake may be shared with another topic.
                if (!footer.Topic.Matches(topic)) continue;
                records = footer.Rows;
                state = state with
                {
                    Rows = state.Rows + records, Files = state.Files + 1, Bytes = state.Bytes + lake.Find(path)!.Value.Bytes,
                    Page = Math.Max(state.Page, footer.LastPage ?? 0),
                };
                if (footer.LastOffset > newestRow)
                {
                    newestRow = footer.LastOffset;
                    state = state with { Fingerprint = footer.SchemaFingerprint, FingerprintAssumed = false };
                }
            }
            if (name.LastOffset < state.NextOffset) continue;
            var file = new CommittedFile(
                path, LakePath.Temporary(path, writerId), records, name.FirstOffset, name.LastOffset, lake.Find(path)!.Value.Bytes);
            state = state with
            {
                NextOffset = name.LastOffset + 1, PageEnded = false, NewestFile = new(stored.NextSequence, file),
            };
        }
        if (state == stored.State) return null;
        CheckNothingIsHidden(stored.Partition, state.NextOffset);
        // Of a commit only some files may be there, and what they hold may end inside a page: the lake does not have that one whole.
        var rest = await restAtAsync(stored.Partition, state.NextOffset, state.Page, cancellationToken);
        return rest == 0 ? state : state with { Page = Math.Min(state.Page, rest - 1), RestOf = rest };
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
            throw LakeReader.Misnamed(e);
        }
    }

    private Dictionary<int, (int Generation, long Offset)> ListLastOffsets()
    {
        var last = new Dictionary<int, (int, long)>();
        foreach (var (_, name) in Files())
        {
            var found = (name.Generation, name.LastOffset);
            if (found.CompareTo(last.GetValueOrDefault(name.Partition, (0, -1))) > 0) last[name.Partition] = found;
        }
        return last;
    }

    private static bool IsAhead((int Generation, long Offset) file, PartitionState state) =>
        file.Generation > state.Generation || (file.Generation == state.Generation && file.Offset >= state.NextOffset);

    private IEnumerable<(string Path, LakeFileName Name)> Files()
    {
        foreach (var path in lake.ListAll(""))
            if (LakePath.TryParse(path, out var name)) yield return (path, name);
    }
}
