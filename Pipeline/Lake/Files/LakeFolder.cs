using OrdersStream.Durable;

namespace OrdersStream.Lake.Files;

/// <summary>A folder of a file system that has hard links or an exclusive rename: a local disk, a mounted share.</summary>
/// <param name="root">The folder; it is made when something is written.</param>
/// <param name="crashPoints">Reached behind each durable step; null: nothing listens.</param>
public sealed class LakeFolder(string root, CrashPoints? crashPoints = null) : ILakeFiles
{
    private const int BufferBytes = 64 * 1024;

    private static readonly EnumerationOptions OneLevel = new() { AttributesToSkip = 0, IgnoreInaccessible = false };

    // Links could lead in circles.
    private static readonly EnumerationOptions EveryLevel = new()
    {
        AttributesToSkip = FileAttributes.ReparsePoint, RecurseSubdirectories = true,
    };

    private readonly CrashPoints crashPoints = crashPoints ?? CrashPoints.None;

    /// <summary>Called at each file or folder that is met: of many that takes long.</summary>
    internal Action? Looked { get; init; }

    private string Root => field ??= Path.GetFullPath(root);

    public string Locate(string path) => Path.Combine(Root, path.Replace('/', Path.DirectorySeparatorChar));

    public async Task<long> WriteHiddenAsync(string path, Func<Stream, CancellationToken, Task> write, CancellationToken cancellationToken)
    {
        var file = Locate(path);
        DurableFile.CreateDirectory(Path.GetDirectoryName(file)!, crashPoints);
        await using var stream = DurableFile.OpenNew(file, BufferBytes);
        await write(stream, cancellationToken);
        await stream.FlushAsync(cancellationToken);
        crashPoints.Reached(CrashPoint.DataFileWritten);
        DurableFile.Sync(stream, crashPoints.Before(CrashPoint.DataFileSynced));
        return stream.Length;
    }

    public bool TryCreate(string path, ReadOnlySpan<byte> content, CrashPoint step) =>
        DurableFile.TryCreateExclusive(Locate(path), content, crashPoints.Before(step));

    public bool TryReveal(string hidden, string path) =>
        DurableFile.TryRenameExclusive(Locate(hidden), Locate(path), crashPoints.Before(CrashPoint.DataFileRenamed));

    public void SyncNames(IEnumerable<string> paths, CrashPoint step)
    {
        // A folder that was removed with all of its files, which somebody accepted, has no name to keep.
        foreach (var folder in paths.Select(p => Path.GetDirectoryName(Locate(p))!).Distinct().Where(IsFolder))
            DurableFile.SyncDirectory(folder, crashPoints.Before(step));
    }

    // What cannot be looked at is not taken for absent: a file system may be away for a moment.
    public LakeFileInfo? Find(string path)
    {
        try
        {
            var file = new FileInfo(Locate(path));
            return new(file.Length, file.LastWriteTimeUtc);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    private static bool IsFolder(string path)
    {
        try
        {
            return File.GetAttributes(path).HasFlag(FileAttributes.Directory);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return false;
        }
    }

    public IEnumerable<string> List(string folder) => List(folder, OneLevel);

    public IEnumerable<string> ListAll(string folder) => List(folder, EveryLevel);

    public IEnumerable<string> Folders(string folder)
    {
        var start = Locate(folder);
        return IsFolder(start) ? Directory.EnumerateDirectories(start, "*", OneLevel).Select(Listed) : [];
    }

    public Stream OpenRead(string path)
    {
        Looked?.Invoke();
        try
        {
            return File.OpenRead(Locate(path));
        }
        catch (DirectoryNotFoundException e)
        {
            throw new FileNotFoundException(e.Message, Locate(path), e);
        }
    }

    public void Remove(string path)
    {
        Looked?.Invoke();
        try
        {
            File.Delete(Locate(path));
        }
        catch (DirectoryNotFoundException)
        {
            // Neither is the file.
        }
    }

    public int RemoveLeftovers(DateTimeOffset now) => DurableFile.RemoveLeftovers(Root, now, Looked);

    private IEnumerable<string> List(string folder, EnumerationOptions levels)
    {
        var start = Locate(folder);
        return IsFolder(start) ? Directory.EnumerateFiles(start, "*", levels).Select(Listed) : [];
    }

    private string Listed(string path)
    {
        Looked?.Invoke();
        return Relative(path);
    }

    private string Relative(string file) => Path.GetRelativePath(Root, file).Replace(Path.DirectorySeparatorChar, '/');
}
