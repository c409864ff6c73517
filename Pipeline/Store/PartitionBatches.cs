using System.Diagnostics.CodeAnalysis;
using OrdersStream.Diagnostics;
using OrdersStream.Lake;
using OrdersStream.ParquetFormat;
using OrdersStream.Rows;

namespace OrdersStream.Store;

/// <summary>
/// The partitions of a batch's records: each is opened once, from its commit log, and
/// goes on from there. A schema's decoder and folders are made once for all of them.
/// </summary>
internal sealed class PartitionBatches(StoreContext context)
{
    private readonly FileBufferPool pool = new(new DataPageEncoder(context.Options), context.Options.BatchBytes);
    private readonly Dictionary<int, PartitionBatch> open = [];
    private readonly Dictionary<string, RowShape> shapes = [];

    public IEnumerable<PartitionBatch> All => open.Values;

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
        var low = await context.Bounds.OpenAsync(stored, cancellationToken);
        var batch = new PartitionBatch(stored, context.Topic.Identity.Topic, context.Options, pool);
        Restart(batch);
        open[partition] = batch;
        return (batch, low);
    }

    /// <summary>Empties it and goes on from what its log last said.</summary>
    public void Restart(PartitionBatch batch) => batch.Restart(batch.Before.Fingerprint is { } fingerprint ? ShapeOf(fingerprint) : null);

    /// <summary>The same from what its log says now.</summary>
    public void Reload(PartitionBatch batch)
    {
        batch.Stored.Reload();
        Restart(batch);
    }

    public RowShape ShapeOf(string fingerprint) =>
        shapes.TryGetValue(fingerprint, out var shape)
            ? shape
            : shapes[fingerprint] = new RowShape(context.SchemaStore.Read(fingerprint), context.Options.PartitionBy);

    /// <summary>Gives up all that they hold; each is opened anew when it is needed.</summary>
    public void Close()
    {
        foreach (var batch in open.Values) batch.Restart(null);
        open.Clear();
    }
}

/// <summary>What taking rows of one schema needs, made once and reused: decoder, row, partitioner.</summary>
internal sealed class RowShape(TableSchema schema, string partitionBy)
{
    private readonly MessageDecoder decoder = new(schema);
    private readonly HivePartitioning partitioner = HivePartitioning.For(schema, partitionBy);

    public TableSchema Schema { get; } = schema;
    public DecodedRow Row { get; } = new(schema);

    /// <summary>Decodes into <see cref="Row"/> and returns its folder.</summary>
    /// <exception cref="UndecodableException">The value is no row of this schema.</exception>
    public string Decode(ReadOnlySpan<byte> value)
    {
        decoder.Decode(value, Row);
        return partitioner.FolderOf(Row);
    }
}
