using OrdersStream.Kafka;

namespace OrdersStream.Store;

/// <summary>How a batch that somebody else cut, as a platform's trigger does, gets into the lake as a whole.</summary>
internal static class DeliveredBatch
{
    /// <summary>On return all of it is durable, however much of it another instance stored meanwhile.</summary>
    public static async Task<BatchResult> StoreAsync(
        LakeBatch batch, IReadOnlyList<StreamRecord> records, TimeProvider time, CancellationToken cancellationToken)
    {
        var begun = time.GetTimestamp();
        var result = BatchResult.Nothing;
        // Another instance that stored some of it meanwhile leaves the rest to be added again: what is stored is dropped then.
        while (true)
        {
            var (stored, isAll) = await StoreOnceAsync(batch, records, cancellationToken);
            // What an earlier round stored is added again, and dropped, by the next.
            result += stored with { AlreadyStored = isAll ? Math.Max(0, stored.AlreadyStored - result.Rows - result.Quarantined) : 0 };
            if (isAll) return result with { Duration = time.GetElapsedTime(begun) };
        }
    }

    private static async Task<(BatchResult Result, bool IsAll)> StoreOnceAsync(
        LakeBatch batch, IReadOnlyList<StreamRecord> records, CancellationToken cancellationToken)
    {
        var result = BatchResult.Nothing;
        // By index: the host's list makes a record when it is asked for it, and most are asked for once only.
        for (var i = 0; i < records.Count; i++)
        {
            if (!batch.TryAdd(records[i])) await batch.AddAsync(records[i], cancellationToken);
            if (!batch.IsFull) continue;
            var full = await batch.CommitAsync(cancellationToken);
            result += full.Result;
            if (full.Superseded.Count > 0) return (result, false);
        }
        var outcome = await batch.CommitAsync(cancellationToken);
        result += outcome.Result;
        return (result, outcome.Superseded.Count == 0);
    }
}
