using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Lake.Files;

namespace OrdersStream.Lake;

/// <summary>
/// Gives committed files their final names. May be done again at any time, by any writer: a file that has its name is
/// passed over, so a crash in the middle is rolled forward by whoever comes next. Never overwrites.
/// </summary>
/// <param name="lake">Where the files lie.</param>
/// <param name="owner">Tells a lake that is away from a file that is gone; null: it is there.</param>
internal sealed class FinalNames(ILakeFiles lake, LakeOwner? owner = null)
{
    private const int CompareBytes = 64 * 1024;

    /// <summary>The first of these final names that is taken already; null when all are free.</summary>
    public string? FindTaken(IEnumerable<string> paths) => paths.FirstOrDefault(lake.Has);

    public bool Has(string path) => lake.Has(path);

    /// <summary>Renames what is not renamed yet; the names are made durable by <see cref="ILakeFiles.SyncNames"/>.</summary>
    /// <param name="entry">A committed entry.</param>
    /// <param name="acceptMissing">True where a human said that files of this entry were removed on purpose.</param>
    /// <param name="markerPath">The file whose existence says so.</param>
    public void Give(CommitEntry entry, bool acceptMissing, string markerPath)
    {
        foreach (var file in entry.AllFiles) Give(file, acceptMissing, markerPath);
    }

    /// <summary>Of files that are named already, nothing is done but to make the names durable.</summary>
    /// <param name="entry">A committed entry.</param>
    /// <param name="acceptMissing">True where a human said that files of it were removed: their folders may be gone, too.</param>
    public void Sync(CommitEntry entry, bool acceptMissing) => lake.SyncNames(
        entry.AllFiles.Select(f => f.Path).Where(path => !acceptMissing || lake.Has(path)), CrashPoint.DirectorySynced);

    /// <summary>The same for one file.</summary>
    public void Give(CommittedFile file, bool acceptMissing, string markerPath)
    {
        try
        {
            if (lake.Has(file.TemporaryPath) && lake.TryReveal(file.TemporaryPath, file.Path)) return;
        }
        catch (FileNotFoundException)
        {
            // Another writer rolls the same entry forward, or the rename was done and its answer lost: see what is there.
        }
        if (lake.Has(file.TemporaryPath)) RemoveSecondName(file);
        else if (lake.Find(file.Path) is not { } named)
        {
            owner?.Check();
            if (!acceptMissing) throw Missing(file, markerPath);
        }
        else if (named.Bytes != file.Bytes) throw Foreign(file.Path);
    }

    // Where there is no exclusive rename, a crash can leave both names on one file.
    private void RemoveSecondName(CommittedFile file)
    {
        try
        {
            if (!HaveSameContent(file.TemporaryPath, file.Path)) throw Foreign(file.Path);
            lake.Remove(file.TemporaryPath);
        }
        catch (FileNotFoundException)
        {
            // Another writer was faster.
        }
    }

    private bool HaveSameContent(string left, string right)
    {
        using var a = lake.OpenRead(left);
        using var b = lake.OpenRead(right);
        if (a.Length != b.Length) return false;
        Span<byte> x = new byte[CompareBytes], y = new byte[CompareBytes];
        while (a.Read(x) is var count and > 0)
        {
            b.ReadExactly(y[..count]);
            if (!x[..count].SequenceEqual(y[..count])) return false;
        }
        return true;
    }

    public static PipelineException Foreign(string path) => new(FailureAction.Stop,
        $"The lake already has a file '{LakePath.WithoutValues(path)}' that this checkpoint did not commit.",
        "Move it away if it is left over from an earlier topic or checkpoint, or give this topic a datalake.path of its own; "
        + "nothing was overwritten.");

    private static PipelineException Missing(CommittedFile file, string markerPath) => new(FailureAction.Stop,
        $"Committed file '{LakePath.WithoutValues(file.Path)}' is gone, and so is its temporary "
        + $"'{LakePath.WithoutValues(file.TemporaryPath)}': at least {file.Rows} records, offsets {file.FirstOffset} to {file.LastOffset}.",
        $"Restore it from a backup; if it was removed on purpose, create the empty file '{markerPath}'.");
}
