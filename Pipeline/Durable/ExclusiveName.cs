using OrdersStream.Diagnostics;

namespace OrdersStream.Durable;

/// <summary>
/// Gives a file a name only if that name is free, in one atomic step. This is the fence between two writers: of two that
/// try, exactly one succeeds, on every file system that has hard links, or creates a file for one writer only.
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
        return Posix.IsUnsupported(linked) ? TryRenameUnderClaim(from, to, Posix.RenameNoReplace) : Taken(linked, from, to);
    }

    /// <summary>
    /// Without links, as on SMB: its exclusive rename is a look of the client's own, and a rename behind it that replaces what another
    /// client gave the name in between. That a file is created by one only is the server's; so who creates the claim looks and renames
    /// alone.
    /// </summary>
    /// <exception cref="PipelineException">Another has the claim, or left it behind when it died.</exception>
    internal static bool TryRenameUnderClaim(string from, string to, Func<string, string, int> renameNoReplace)
    {
        // Hidden, and gone with what writers leave behind after a day.
        var claim = Path.Combine(Path.GetDirectoryName(to)!, $".{Path.GetFileName(to)}.{Guid.Empty:N}.tmp");
        try
        {
            DurableFile.OpenNew(claim, bufferSize: 0).Dispose();
        }
        catch (IOException e) when (Errno.Of(e) == Errno.EEXIST)
        {
            return File.Exists(to) ? false : throw Claimed(claim, to);
        }
        try
        {
            var renamed = renameNoReplace(from, to);
            return Posix.IsUnsupported(renamed) ? throw NeitherWay(to) : Taken(renamed, from, to);
        }
        finally
        {
            DurableFile.TryDelete(claim);
        }
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

    private static PipelineException Claimed(string claim, string to) => new(FailureAction.Retry,
        $"Another writer is about to give '{to}' its content, or died at it: '{claim}' is there.",
        "It goes on by itself once that one is done. Where the file stays, and no other writer runs, remove it: else it is a day old "
        + "before it goes.");

    private static PipelineException NeitherWay(string to) => new(FailureAction.Stop,
        $"The file system of '{Path.GetDirectoryName(to)}' has neither hard links nor an exclusive rename, "
        + "so two writers cannot be kept apart there.",
        "Use a folder on a local disk, NFS or another file system that has one of them.");
}
