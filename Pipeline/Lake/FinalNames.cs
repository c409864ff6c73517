using OrdersStream.Diagnostics;
using OrdersStream.Durable;

namespace OrdersStream.Lake;

/// <summary>
/// Gives committed files their final names. May be done again at any time, by any writer: a file that has its name is
/// passed over, so a crash in the middle is rolled forward by whoever comes next. Never overwrites.
/// </summary>
internal sealed class FinalNames(string lakePath, CrashPoints crashPoints, Func<string, string, bool>? renameExclusive = null)
{
    private readonly Func<string, string, bool> renameExclusive = renameExclusive 
        ?? ((from, to) => DurableFile.TryRenameExclusive(from, to, crashPoints.Before(CrashPoint.DataFileRenamed)));

    /// <summary>The first of these final names that is taken already; null when all are free.</summary>
    public string? FindTaken(IEnumerable<string> paths) => paths.FirstOrDefault(path => File.Exists(LakePath.Absolute(lakePath, path)));

    /// <summary>Renames what is not renamed yet; the folders are synced by <see cref="SyncFolders"/>.</summary>
    /// <param name="entry">A committed entry.</param>
    /// <param name="acceptMissing">True where a human said that files of this entry were removed on purpose.</param>
    /// <param name="remedyPath">The file whose existence says so.</param>
    public void Rename(CommitEntry entry, bool acceptMissing, string remedyPath)
    {
        foreach (var file in entry.AllFiles) RenameOne(file, acceptMissing, remedyPath);
    }

    /// <summary>Makes names in the files' folders durable: the hidden ones before the commit, the final ones after it.</summary>
    public void SyncFolders(IEnumerable<string> paths, CrashPoint point)
    {
        foreach (var folder in paths.Select(p => Path.GetDirectoryName(LakePath.Absolute(lakePath, p))!).Distinct())
            DurableFile.SyncDirectory(folder, crashPoints.Before(point));
    }

    private void RenameOne(CommittedFile file, bool acceptMissing, string remedyPath)
    {
        var from = LakePath.Absolute(lakePath, file.TemporaryPath);
        var to = LakePath.Absolute(lakePath, file.Path);
        try
        {
            if (File.Exists(from) && renameExclusive(from, to)) return;
        }
        catch (FileNotFoundException)
        {
            // Another writer rolls the same entry forward, or the rename was done and its answer lost: see what is there.
        }
        if (File.Exists(from)) RemoveSecondName(file, from, to);
        else if (new FileInfo(to) is { Exists: true } named && named.Length != file.Bytes) throw Foreign(file.Path);
        else if (!File.Exists(to) && !acceptMissing) throw Missing(file, remedyPath);
    }

    // Where there is no exclusive rename, a crash can leave both names on one file.
    private static void RemoveSecondName(CommittedFile file, string from, string to)
    {
        try
        {
            if (!HaveSameContent(from, to)) throw Foreign(file.Path);
            File.Delete(from);
        }
        catch (FileNotFoundException)
        {
            // Another writer was faster.
        }
    }

    private static bool HaveSameContent(string left, string right)
    {
        using var a = File.OpenRead(left);
        using var b = File.OpenRead(right);
        if (a.Length != b.Length) return false;
        Span<byte> x = new byte[64 * 1024], y = new byte[64 * 1024];
        while (a.Read(x) is var count and > 0)
        {
            b.ReadExactly(y[..count]);
            if (!x[..count].SequenceEqual(y[..count])) return false;
        }
        return true;
    }

    public static PipelineException Foreign(string path) => new(FailureAction.Stop,
        $"The lake already has a file '{LakePath.WithoutValues(path)}' that this checkpoint did not commit.",
        "Move it away if it is left over from an earlier topic or checkpoint, or give this topic a datalake.path of its own; nothing was overwritten.");

    private static PipelineException Missing(CommittedFile file, string remedyPath) => new(FailureAction.Stop,
        $"Committed file '{LakePath.WithoutValues(file.Path)}' ({file.Rows} records, offsets {file.FirstOffset} to {file.LastOffset}) is gone, and so is its temporary '{LakePath.WithoutValues(file.TemporaryPath)}'.",
        $"Restore it from a backup; if it was removed on purpose, create the empty file '{remedyPath}'.");
}
