using OrdersStream.Diagnostics;

namespace OrdersStream.Durable;

/// <summary>
/// Tries in a folder what all state and every commit rests on: a name that is given to one writer only, a file that is replaced as a
/// whole, and fsync of both files and folders. Its files are hidden, and are removed.
/// </summary>
public static class FolderProbe
{
    /// <param name="folder">It is there.</param>
    /// <exception cref="PipelineException">The file system lets two writers take one name, or does not keep what was written.</exception>
    /// <exception cref="IOException">It refuses.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be written.</exception>
    public static void Try(string folder)
    {
        var step = CrashPoints.None.Before(CrashPoint.StateFileNamed);
        // Named as temporary files are: what a probe that dies leaves behind is removed with theirs.
        var (first, second) = (NameIn(folder), NameIn(folder));
        try
        {
            var areOurs = DurableFile.TryCreateExclusive(first, "first"u8, step)
                && DurableFile.TryCreateExclusive(second, "second"u8, step);
            if (!areOurs || DurableFile.TryCreateExclusive(first, "again"u8, step)
                || DurableFile.TryRenameExclusive(second, first, step))
                throw new PipelineException(FailureAction.Stop,
                    $"The file system of '{folder}' gives one name to two writers: lake and state would not be safe there.",
                    "Use a folder on a local disk, NFS or another file system that keeps names apart.");
            DurableFile.Replace(first, "replaced"u8, step);
            if (!File.ReadAllBytes(first).AsSpan().SequenceEqual("replaced"u8))
                throw new PipelineException(FailureAction.Stop,
                    $"The file system of '{folder}' does not show what was just written there.",
                    "Use a folder on a local disk, NFS or another file system that shows a file as it was written last.");
        }
        finally
        {
            File.Delete(first);
            File.Delete(second);
        }
    }

    private static string NameIn(string folder) => Path.Combine(folder, $".check.{Guid.NewGuid():N}.tmp");
}
