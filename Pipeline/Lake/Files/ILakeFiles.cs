using OrdersStream.Durable;

namespace OrdersStream.Lake.Files;

/// <summary>A file's metadata, as a listing has it too.</summary>
/// <param name="Bytes">Its size.</param>
/// <param name="WrittenAt">When it was written last.</param>
public readonly record struct LakeFileInfo(long Bytes, DateTimeOffset WrittenAt);

/// <summary>
/// Where a lake, or the commit log beside it, lies: all that the pipeline asks of the place, in the fewest operations.
/// Paths are relative to the place's root, with '/'. What a place promises is what the order of a commit rests on
/// (invariants 3, 4 and 5): a file is whole and durable once <see cref="WriteHiddenAsync"/> has returned, a name is given
/// to one writer only, and no name that was made durable is lost.
/// </summary>
public interface ILakeFiles
{
    /// <summary>The path as an operator finds it, for texts.</summary>
    string Locate(string path);

    /// <summary>Writes a new file under a name that no reader takes notice of, and makes its content durable.</summary>
    /// <returns>Its size, bytes.</returns>
    /// <exception cref="IOException">The name is taken, or the place refuses.</exception>
    Task<long> WriteHiddenAsync(string path, Func<Stream, CancellationToken, Task> write, CancellationToken cancellationToken);

    /// <summary>Creates a small file, whole and durable, if its name is free: of two that try, exactly one succeeds.</summary>
    /// <param name="step">What is done by it.</param>
    /// <returns>False: the name is taken.</returns>
    bool TryCreate(string path, ReadOnlySpan<byte> content, CrashPoint step);

    /// <summary>Gives a hidden file its final name, if that is free. <see cref="SyncNames"/> makes it durable.</summary>
    /// <returns>False: the name is taken.</returns>
    /// <exception cref="FileNotFoundException">
    /// There is no such hidden file: another writer has given it its name, or removed it.
    /// </exception>
    bool TryReveal(string hidden, string path);

    /// <summary>Makes durable what was named, renamed or removed in the folders of these paths.</summary>
    /// <param name="step">What is done by it.</param>
    void SyncNames(IEnumerable<string> paths, CrashPoint step);

    /// <summary>Size and time of a file; null: there is none.</summary>
    LakeFileInfo? Find(string path);

    /// <summary>The files in a folder, hidden ones too, in no order; none where there is no such folder.</summary>
    IEnumerable<string> List(string folder);

    /// <summary>The same of all folders below it; links are not followed, and what may not be entered is passed over.</summary>
    IEnumerable<string> ListAll(string folder);

    /// <summary>The folders in a folder, in no order; none where there is no such folder.</summary>
    IEnumerable<string> Folders(string folder);

    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    Stream OpenRead(string path);

    /// <summary>Removes a file, if it is there.</summary>
    void Remove(string path);

    /// <summary>Removes what writers who died left of <see cref="TryCreate"/>, once it is old enough to be nobody's any more.</summary>
    /// <returns>How many files.</returns>
    int RemoveLeftovers(DateTimeOffset now);
}

/// <summary>What can be said by the operations of any place.</summary>
internal static class LakeFilesReading
{
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    public static byte[] Read(this ILakeFiles files, string path)
    {
        using var stream = files.OpenRead(path);
        var content = new byte[stream.Length];
        stream.ReadExactly(content);
        return content;
    }

    /// <summary>A file whose existence says something.</summary>
    public static bool Has(this ILakeFiles files, string path) => files.Find(path) is not null;

    /// <summary>The last segment.</summary>
    public static string NameOf(string path) => path[(path.LastIndexOf('/') + 1)..];
}
