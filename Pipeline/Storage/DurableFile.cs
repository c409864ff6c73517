namespace OrdersStream.Storage;

// Contract; see the summary of each member.
public static class DurableFile
{
    /// <summary>Replaces <paramref name="path"/> atomically by <paramref name="content"/>: temporary file in the same folder, fsync, rename, fsync of the folder. Creates the folder.</summary>
    public static void Replace(string path, ReadOnlySpan<byte> content) => throw new NotImplementedException();

    /// <summary>
    /// Publishes <paramref name="content"/> under <paramref name="path"/> if nothing is there: whole and fsynced, or not at all.
    /// False when the name is taken. The exclusive step is link(2) or renameat2(RENAME_NOREPLACE), so no reader ever sees a torn file.
    /// </summary>
    public static bool TryCreateExclusive(string path, ReadOnlySpan<byte> content) => throw new NotImplementedException();

    /// <summary>Renames within a file system; false when the target exists already. Never overwrites.</summary>
    public static bool TryRenameExclusive(string from, string to) => throw new NotImplementedException();

    /// <summary>fsync of an open file's data and metadata.</summary>
    public static void Sync(FileStream file) => file.Flush(flushToDisk: true);

    /// <summary>fsync of a folder, so that names created, renamed or removed in it are durable.</summary>
    public static void SyncDirectory(string path) => throw new NotImplementedException();
}
