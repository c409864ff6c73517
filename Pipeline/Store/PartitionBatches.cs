using System.Diagnostics.CodeAnalysis;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Lake;
using OrdersStream.Memory;
using OrdersStream.ParquetFormat;
using OrdersStream.Rows;

namespace OrdersStream.Store;

/// <summary>
/// The partitions of a batch's records: each is opened once, from its commit log, and
/// goes on from there. A schema's decoder and folders are made once for all of them.
/// </summary>
internal sealed class PartitionBatches(StoreContext context)
{
    /// <summary>More than most pages have: beyond it, what cannot be one that arrives is not kept waiting.</summary>
    private const long WaitingBytesMax = 64 * 1024 * 1024;

    /// <summary>
    /// More than any page has, in memory: capture cuts it, by a setting of its own that this half does not know, as little as who filled
    /// the topic before it was changed.
    /// </summary>
    private const long PageBytesMax = 2L * PostgresOptions.PageBytesMax;

    /// <summary>What is kept of what pages lay in while they arrived.</summary>
    private const long PartBytesIdleMax = 16 * 1024 * 1024;

    private readonly FileBufferPool pool = new(new DataPageEncoder(context.Options), FilesLimit.BytesMax(context.Options));
    private readonly Dictionary<int, PartitionBatch> open = [];
    private readonly Dictionary<string, RowShape> shapes = [];

    private readonly HeldMemory waiting = new();
    private BlockPool? blocks;

    /// <summary>What pages lie in while they arrive.</summary>
    public BlockPool Blocks => blocks ??= new BlockPool(waiting, PartBytesIdleMax);

    /// <summary>
    /// Where most waits that is to be given up; null: nowhere. What follows a page that nobody ends is not kept for ever (invariant 7), and
    /// a page that still arrives is never taken for one (invariant 3).
    /// </summary>
    public PartitionBatch? ToGiveUp => HasTooMuch
        ? open.Values.Where(b => b.Receiver.Open is { } part && CannotArrive(part)).MaxBy(b => b.Receiver.WaitingBytes)
        : null;

    /// <summary>The part is one that may be given up.</summary>
    public bool IsToGiveUp(PagePart part) => CannotArrive(part) && HasTooMuch;

    // In all partitions together: behind as many records as their pages have, or of whatever more than any page has.
    private bool HasTooMuch => waiting.Bytes > PageBytesMax
        || (waiting.Bytes > WaitingBytesMax && open.Values.Sum(b => b.Receiver.Open?.BytesBeyond ?? 0) > WaitingBytesMax);

    // As many records as it has, and its end is not among them: others' are. One of those may stand before the end, however large it is.
    private bool CannotArrive(PagePart part) => part.BytesBeyond > 0 || waiting.Bytes > PageBytesMax;

    public IEnumerable<PartitionBatch> All => open.Values;

    /// <summary>What their files hold in memory.</summary>
    public long MemoryHeld => pool.OpenBytes;

    public PartitionBatch this[int partition] => open[partition];

    public bool TryGet(int partition, [NotNullWhen(true)] out PartitionBatch? batch) => open.TryGetValue(partition, out batch);

    public async ValueTask<PartitionBatch> OpenAsync(int partition, CancellationToken cancellationToken) =>
        open.TryGetValue(partition, out var batch) ? batch : (await OpenNewAsync(partition, cancellationToken)).Batch;

    /// <summary>Opens one that is not open.</summary>
    /// <returns>With the first offset that Kafka keeps.</returns>
    /// <exception cref="PipelineException">The log cannot be used, or Kafka has less than it says.</exception>
    public async Task<(PartitionBatch Batch, long Low)> OpenNewAsync(int partition, CancellationToken cancellationToken)
    {
        var stored = context.NewStoredPartition(partition);
        await context.Recovery.OpenAsync(stored, context.NewWriterId(), cancellationToken);
        var low = await context.Bounds.OpenAsync(stored, context.NewWriterId(), cancellationToken);
        var batch = new PartitionBatch(stored, context.Topic.Identity.Topic, context.Options, pool, Blocks);
        Restart(batch);
        // The folder of the schemas was lost: readers of the lake's files need the one in force, whatever comes next.
        if (batch.Shape is null && batch.Before.Fingerprint is { } lost
            && await context.Schemas.RestoreAsync(partition, batch.NextOffset, lost, cancellationToken))
        {
            Restart(batch);
        }
        open[partition] = batch;
        return (batch, low);
    }

    /// <summary>Empties it and goes on from what its log last said.</summary>
    public void Restart(PartitionBatch batch) => batch.Restart(
        batch.Before.Fingerprint is { } fingerprint && (shapes.ContainsKey(fingerprint) || context.SchemaStore.Has(fingerprint))
            ? ShapeOf(fingerprint)
            // Pages bring theirs along; for a record of none, it is looked for in the topic.
            : null);

    /// <summary>The same from what its log says now.</summary>
    public void Reload(PartitionBatch batch)
    {
        batch.Stored.Reload();
        Restart(batch);
    }

    public RowShape ShapeOf(string fingerprint) =>
        shapes.TryGetValue(fingerprint, out var shape)
            ? shape
            : shapes[fingerprint] = NewShape(context.SchemaStore.Read(fingerprint));

    private RowShape NewShape(TableSchema schema)
    {
        var shape = new RowShape(schema, context.Options.PartitionBy, context.Folders);
        context.Notices.LookAt(schema, context.Folders);
        return shape;
    }

    /// <summary>Of the schema that a page brings along. It is kept: readers of the lake ask for it by its fingerprint.</summary>
    public RowShape ShapeOf(PageStart start)
    {
        if (shapes.TryGetValue(start.Fingerprint, out var known) && context.SchemaStore.IsKept(start.Fingerprint)) return known;
        try
        {
            context.SchemaStore.Write(start.ReadSchema());
        }
        catch (FormatException e)
        {
            throw new PipelineException(FailureAction.Stop,
                $"The schema that page {start.Page} of topic '{context.Topic.Identity.Topic}' brings along cannot be used: {e.Message}.",
                "If a later version of this program captures the table, run that version here, too.", e);
        }
        return ShapeOf(start.Fingerprint);
    }

    /// <summary>Gives up what one holds.</summary>
    public void Close(int partition)
    {
        if (open.Remove(partition, out var batch)) batch.Restart(null);
    }

    /// <summary>Gives up all that they hold; each is opened anew when it is needed.</summary>
    public void Close()
    {
        foreach (var batch in open.Values) batch.Restart(null);
        open.Clear();
    }
}
