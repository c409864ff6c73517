using OrdersStream.Diagnostics;

namespace OrdersStream.Durable;

/// <summary>
/// Gives a file a name only if that name is free, in one atomic step. This is the fence between two writers: of two that
/// try, exactly one succeeds, on every file system that has hard links or an exclusive rename.
/// </summary>
internal static class ExclusiveName
{
    /// <summary>
    /// Names the file at <paramref name="from"/> also <paramref name="to"/>;
    /// <paramref name="from"/> may be gone afterwards or not.
    /// </summary>
    public static bool TryPublish(string from, string to)
    {
        if (OperatingSystem.IsWindows()) return TryMove(from, to);
        var linked = Posix.Link(from, to);
        if (!Posix.IsUnsupported(linked)) return Taken(linked, from, to);
        var renamed = Posix.RenameNoReplace(from, to);
        return Posix.IsUnsupported(renamed) ? throw NeitherWay(to) : Taken(renamed, from, to);
    }

    /// <summary>Renames; where the file system has no exclusive rename, by a second name and the removal of the first.</summary>
    public static bool TryRename(string from, string to)
    {
        if (OperatingSystem.IsWindows()) return TryMove(from, to);
        var renamed = Posix.RenameNoReplace(from, to);
        if (!Posix.IsUnsupported(renamed)) return Taken(renamed, from, to);
        var linked = Posix.Link(from, to);
        if (Posix.IsUnsupported(linked)) throw NeitherWay(to);
        if (!Taken(linked, from, to)) return false;
        File.Delete(from);
        return true;
    }

    private static bool Taken(int errno, string from, string to) => errno switch
    {
        0 => true,
        Errno.EEXIST => false,
        Errno.ENOENT => throw new FileNotFoundException(
            $"'{from}' cannot be renamed to '{to}': it, or the target's folder, does not exist.", from),
        _ => throw Posix.Failure($"'{from}' cannot be renamed to '{to}'", errno),
    };

    private static bool TryMove(string from, string to)
    {
        const int FileExists = unchecked((int)0x80070050), AlreadyExists = unchecked((int)0x800700B7);
        try
        {
            File.Move(from, to, overwrite: false);
            return true;
        }
        catch (IOException e) when (e.HResult is FileExists or AlreadyExists)
        {
            return false;
        }
    }

    private static PipelineException NeitherWay(string to) => new(FailureAction.Stop,
        $"The file system of '{Path.GetDirectoryName(to)}' has neither hard links nor an exclusive rename, "
        + "so two writers cannot be kept apart there.",
        "Use a folder on a local disk, NFS or another file system that has one of them.");
}
