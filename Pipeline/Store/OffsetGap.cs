using OrdersStream.Diagnostics;
using OrdersStream.Kafka;

namespace OrdersStream.Store;

/// <summary>
/// The gap rule: a batch begins where the log ends, or one transaction marker behind it. Else what lies between is read from Kafka
/// and stored first: whoever delivers may have begun elsewhere, and a record that was passed over would be lost (invariant 3).
/// </summary>
internal sealed class OffsetGap(StoreContext context, PartitionBatches partitions)
{
    /// <summary>What is to be read before the record at an offset can be the first of its partition's batch; null: nothing.</summary>
    /// <exception cref="PipelineException">Kafka no longer has it, and nobody accepted that.</exception>
    public async Task<OffsetRange?> FindAsync(
        PartitionBatch batch, long offset, bool beginsPage, CancellationToken cancellationToken)
    {
        if (!Is(batch, offset, beginsPage)) return null;
        // Another instance may have stored it.
        partitions.Reload(batch);
        if (!Is(batch, offset, beginsPage)) return null;
        var from = await context.Bounds.FirstKeptAsync(batch, cancellationToken);
        context.Logger.GapRead(batch.Partition, batch.NextOffset, offset);
        return new OffsetRange(batch.Partition, from, offset);
    }

    /// <summary>Records lie between what is stored and the record at an offset, or may.</summary>
    public static bool Is(PartitionBatch batch, long offset, bool beginsPage) =>
        offset > batch.NextOffset && !batch.Continues(offset, beginsPage);
}
