using Microsoft.Extensions.Logging;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Lake.Files;

namespace OrdersStream.Lake;

/// <summary>
/// Temporary files that a crashed writer left. Of the lake's only those go that are a day old and that no newest log entry
/// names: a writer commits nothing older than an hour, so the two never meet. Those beside state files go with them.
/// </summary>
internal sealed class LeftoverFiles(
    ILakeFiles lake, ILakeFiles checkpoint, string writerPrefix, TopicCommits commits, TimeProvider time, ILogger logger)
{
    private DateTimeOffset? sweptAt;

    /// <summary>Sweeps at the first call, and then once a day.</summary>
    public void SweepWhenDue()
    {
        var now = time.GetUtcNow();
        if (sweptAt is { } last && now - last < DurableFile.LeftoverAge) return;
        sweptAt = now;
        try
        {
            var removed = SweepLake(now - DurableFile.LeftoverAge) + lake.RemoveLeftovers(now) + checkpoint.RemoveLeftovers(now);
            if (removed > 0) logger.TemporaryFilesRemoved(removed);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // They are in nobody's way: tomorrow again.
            logger.TemporaryFilesNotRemoved(LakePath.WithoutValues(e, lake.Locate("")));
        }
    }

    private int SweepLake(DateTimeOffset olderThan)
    {
        var old = lake.ListAll("").Where(IsTemporary).Where(f => lake.Find(f) is { } file && file.WrittenAt < olderThan).ToList();
        if (old.Count == 0) return 0;
        // Committed but not renamed: a crash left it so, and its partition was not opened since.
        // By its name, which no other writer's file has: a share may list a folder by another spelling than the entry's.
        var committed = commits.NewestEntries().SelectMany(e => e.AllFiles)
            .Select(f => LakeFilesReading.NameOf(f.TemporaryPath)).ToHashSet();
        var leftovers = old.Where(f => !committed.Contains(LakeFilesReading.NameOf(f))).ToList();
        foreach (var file in leftovers) lake.Remove(file);
        return leftovers.Count;
    }

    private bool IsTemporary(string path) => LakePath.TryParseTemporary(LakeFilesReading.NameOf(path), writerPrefix, out _);
}
