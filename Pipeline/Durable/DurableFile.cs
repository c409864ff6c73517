using System.Text.RegularExpressions;
using OrdersStream.Diagnostics;

namespace OrdersStream.Durable;

/// <summary>
/// Files that are whole and durable once they have their name. Every name appears by one atomic step, after the content
/// was fsynced, and the folder is fsynced after it (invariants 4 and 5).
/// </summary>
public static partial class DurableFile
{
    private const UnixFileMode ReadableFile =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    private const UnixFileMode DirectoryMode =
        ReadableFile | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    /// <summary>
    /// Replaces <paramref name="path"/> atomically by <paramref name="content"/>:
    /// temporary file in the same folder, fsync, rename, fsync of the folder. Creates the folder.
    /// </summary>
    public static void Replace(string path, ReadOnlySpan<byte> content, DurableStep step)
    {
        var directory = CreateDirectoryOf(path, step);
        var temporary = WriteTemporary(path, content);
        try
        {
            step.CrashPoints.Reached(CrashPoint.StateFileSynced);
            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            TryDelete(temporary);
            throw;
        }
        step.CrashPoints.Reached(CrashPoint.StateFileNamed);
        SyncDirectory(directory, step);
    }

    /// <summary>
    /// Publishes <paramref name="content"/> under <paramref name="path"/> if nothing is there: whole and fsynced, or not at all.
    /// False when the name is taken. The exclusive step is link(2) or renameat2(RENAME_NOREPLACE), so no reader ever sees a torn file.
    /// Creates the folder.
    /// </summary>
    public static bool TryCreateExclusive(string path, ReadOnlySpan<byte> content, DurableStep step)
    {
        var directory = CreateDirectoryOf(path, step);
        var temporary = WriteTemporary(path, content);
        try
        {
            step.CrashPoints.Reached(CrashPoint.StateFileSynced);
            if (!ExclusiveName.TryPublish(temporary, path)) return false;
            step.CrashPoints.Reached(CrashPoint.StateFileNamed);
        }
        finally
        {
            TryDelete(temporary);
        }
        SyncDirectory(directory, step);
        return true;
    }

    /// <summary>Removes a file; where it is gone already, that its name stays gone.</summary>
    public static void Remove(string path, DurableStep step)
    {
        File.Delete(path);
        SyncDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!, step);
    }

    /// <summary>
    /// Renames within a file system; false when the target exists already. Never overwrites. The caller syncs the folders.
    /// </summary>
    public static bool TryRenameExclusive(string from, string to, DurableStep step)
    {
        if (!ExclusiveName.TryRename(from, to)) return false;
        step.Done();
        return true;
    }

    /// <summary>The file system refused, for want of room or right: nothing was done.</summary>
    public static bool IsRefusal(IOException failure) => Errno.Of(failure) is Errno.ENOSPC or Errno.EROFS;

    /// <summary>Opens a new file for writing, readable by all, writable by its owner; fails when the name is taken.</summary>
    public static FileStream OpenNew(string path, int bufferSize = 4096) => Open(path, FileMode.CreateNew, FileShare.None, bufferSize);

    /// <summary>The same in another mode.</summary>
    internal static FileStream Open(string path, FileMode mode, FileShare share, int bufferSize)
    {
        var options = new FileStreamOptions { Mode = mode, Access = FileAccess.Write, Share = share, BufferSize = bufferSize };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = ReadableFile;
        return new FileStream(path, options);
    }

    /// <summary>fsync of an open file's data and metadata.</summary>
    public static void Sync(FileStream file, DurableStep step)
    {
        Sync(file);
        step.Done();
    }

    /// <summary>fsync of a folder, so that names created, renamed or removed in it are durable. Windows journals names itself.</summary>
    public static void SyncDirectory(string path, DurableStep step)
    {
        SyncDirectory(path);
        step.Done();
    }

    /// <summary>Creates a folder and those above it that are missing, each durable in the one above.</summary>
    public static void CreateDirectory(string path, CrashPoints crashPoints)
    {
        path = Path.GetFullPath(path);
        if (Directory.Exists(path)) return;
        if (File.Exists(path)) throw new IOException($"'{path}' is a file.", Errno.ENOTDIR);
        var parent = Path.GetDirectoryName(path);
        if (parent is not null) CreateDirectory(parent, crashPoints);
        CreateFolder(path);
        if (parent is not null) SyncDirectory(parent, crashPoints.Before(CrashPoint.FolderCreated));
    }

    /// <summary>Creates it, readable by all, and no more: it is not durable.</summary>
    internal static void CreateFolder(string path)
    {
        if (OperatingSystem.IsWindows()) Directory.CreateDirectory(path);
        else Directory.CreateDirectory(path, DirectoryMode);
    }

    /// <summary>How old a temporary file is that nobody is at work on any more.</summary>
    public static readonly TimeSpan LeftoverAge = TimeSpan.FromDays(1);

    /// <summary>
    /// Removes temporary files of this class below a folder, that writers who died left.
    /// One who would still want to name his fails, and tries again.
    /// </summary>
    /// <param name="folder">The folder.</param>
    /// <param name="now">The clock.</param>
    /// <param name="looked">Called at each file, of many of which it takes long.</param>
    /// <returns>How many.</returns>
    public static int RemoveLeftovers(string folder, DateTimeOffset now, Action? looked = null)
    {
        if (!Directory.Exists(folder)) return 0;
        var everywhere = new EnumerationOptions
        {
            RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint, IgnoreInaccessible = true,
        };
        var leftovers = Directory.EnumerateFiles(folder, "*", everywhere).Where(IsTemporary).Select(path => new FileInfo(path))
            .Where(file => file.LastWriteTimeUtc < now - LeftoverAge).ToList();
        foreach (var file in leftovers) file.Delete();
        return leftovers.Count;

        bool IsTemporary(string path)
        {
            looked?.Invoke();
            return TemporaryName().IsMatch(Path.GetFileName(path));
        }
    }

    [GeneratedRegex(@"\A\..+\.[0-9a-f]{32}\.tmp\z")]
    private static partial Regex TemporaryName();

    private static string CreateDirectoryOf(string path, DurableStep step)
    {
        var directory = Path.GetDirectoryName(Path.GetFullPath(path))!;
        CreateDirectory(directory, step.CrashPoints);
        return directory;
    }

    private static void Sync(FileStream file) => file.Flush(flushToDisk: true);

    private static void SyncDirectory(string path)
    {
        if (!OperatingSystem.IsWindows()) Posix.SyncDirectory(path);
    }

    // Hidden, and of a name of its own: readers pass over it, two writers never share it.
    private static string WriteTemporary(string path, ReadOnlySpan<byte> content)
    {
        var temporary = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(path))!, $".{Path.GetFileName(path)}.{Guid.NewGuid():N}.tmp");
        try
        {
            using var file = OpenNew(temporary, bufferSize: 0);
            file.Write(content);
            Sync(file);
        }
        catch
        {
            TryDelete(temporary);
            throw;
        }
        return temporary;
    }

    /// <summary>Cleaning up never hides the failure that it cleans up after.</summary>
    internal static void TryDelete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
        }
    }
}
