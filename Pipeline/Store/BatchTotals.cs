using OrdersStream.Memory;

namespace OrdersStream.Store;

/// <summary>What waits for the commit, over all partitions.</summary>
internal sealed class BatchTotals
{
    /// <summary>Rows and quarantined records.</summary>
    public long Records { get; private set; }

    /// <summary>Their decoded size.</summary>
    public long Bytes { get; private set; }

    /// <summary>Files that they go to.</summary>
    public int Files { get; private set; }

    /// <summary>Records that were delivered and are stored already.</summary>
    public long AlreadyStored { get; set; }

    /// <summary>Records were added to a partition's batch.</summary>
    /// <param name="batch">Which.</param>
    /// <param name="sizeBefore">Its bytes before.</param>
    /// <param name="filesBefore">Its files before.</param>
    /// <param name="records">How many.</param>
    public void Add(PartitionBatch batch, long sizeBefore, int filesBefore, int records)
    {
        // On its way into a column it went through arrays that grew for it.
        if (records == 1 && batch.Bytes - sizeBefore < int.MaxValue) LargeAllocations.Count((int)(batch.Bytes - sizeBefore));
        Bytes += batch.Bytes - sizeBefore;
        Files += batch.Files.Count - filesBefore;
        Records += records;
    }

    /// <summary>Nothing waits any more.</summary>
    public void Clear() => (Records, Bytes, Files) = (0, 0, 0);

    /// <summary>Those records, once.</summary>
    public long TakeAlreadyStored()
    {
        var taken = AlreadyStored;
        AlreadyStored = 0;
        return taken;
    }
}
