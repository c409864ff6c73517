using OrdersStream.Configuration;
using OrdersStream.Diagnostics;

namespace OrdersStream.Store;

/// <summary>
/// How many files a batch may have open: each holds arrays for each of its columns, whatever rows are in them, so that rows of many
/// folders take far more memory than their size (invariant 7). What is held counts, not what is in it.
/// </summary>
internal sealed class FilesLimit(StoreContext context, PartitionBatches partitions)
{
    /// <summary>Whatever they hold: so many names stand in one entry of the commit log.</summary>
    private const int FilesMax = 16_384;

    /// <summary>Below it the columns of a wide table alone would end a batch.</summary>
    private const long BytesMin = 16 * 1024 * 1024;

    /// <summary>
    /// From so many on, half as much may be held: writing them takes memory of its own, for each has a footer, a name, an entry, and as a
    /// file of the disk some of the kernel's, which counts where a container's limit is.
    /// </summary>
    private const int ManyFiles = 1_024;

    /// <summary>Fewer reach the limit by their size, and a coarser partitioning would not help.</summary>
    private const int ManyFolders = 32;

    private static readonly TimeSpan BetweenReports = TimeSpan.FromHours(1);

    private readonly long bytesMax = BytesMax(context.Options);
    private long? reportedAt;

    /// <summary>Arrays of many rows are a quarter larger than what is in them at the most: few files reach batch_bytes first.</summary>
    public static long BytesMax(DatalakeOptions options) => Math.Max(BytesMin, options.BatchBytes * 5 / 4);

    public bool IsReached(int files) =>
        files >= FilesMax || partitions.MemoryHeld >= (files < ManyFiles ? bytesMax : Math.Max(BytesMin, bytesMax / 2));

    /// <summary>Says so, since only the operator can change it; not at every commit.</summary>
    public void Report(int files, long rows)
    {
        if (reportedAt is { } at && context.Time.GetElapsedTime(at) < BetweenReports) return;
        var folders = partitions.All.SelectMany(b => b.Files).Select(f => f.Folder).Distinct().Count();
        if (folders < ManyFolders) return;
        reportedAt = context.Time.GetTimestamp();
        context.Logger.BatchCutByFolders(folders, files, partitions.MemoryHeld / (1024.0 * 1024), (double)rows / files);
    }
}
