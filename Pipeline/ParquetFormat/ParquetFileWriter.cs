using System.Buffers.Binary;
using Parquet.Meta;

namespace OrdersStream.ParquetFormat;

/// <summary>Writes a finished batch of columns as one Parquet file.</summary>
public static class ParquetFileWriter
{
    private static readonly byte[] Magic = "PAR1"u8.ToArray();

    /// <summary>
    /// Writes all row groups of <paramref name="batch"/> to <paramref name="file"/>, with <paramref name="footer"/> as the file's
    /// key-value metadata. The caller opens, fsyncs and closes the stream. Batches may be written at the same time.
    /// </summary>
    /// <exception cref="InvalidOperationException">The batch is empty, or not finished.</exception>
    public static async Task WriteAsync(
        Stream file, ColumnBatch batch, IReadOnlyDictionary<string, string> footer, CancellationToken cancellationToken)
    {
        Check(batch);
        await file.WriteAsync(Magic, cancellationToken);
        var metadata = NewMetaData(batch, footer);
        long position = Magic.Length;
        foreach (var group in batch.RowGroups) position = await WriteAsync(file, group, position, metadata.RowGroups, cancellationToken);
        await WriteFooterAsync(file, batch.NewThrift().Serialize(metadata), cancellationToken);
        await file.WriteAsync(Magic, cancellationToken);
    }

    private static async Task<long> WriteAsync(
        Stream file, EncodedRowGroup encoded, long position, List<RowGroup> groups, CancellationToken cancellationToken)
    {
        var ordinal = groups.Count <= short.MaxValue ? (short?)groups.Count : null;
        var group = new RowGroup { NumRows = encoded.Rows, FileOffset = position, Ordinal = ordinal };
        foreach (var chunk in encoded.Chunks)
        {
            position = await chunk.WriteAsync(file, position, cancellationToken);
            group.Columns.Add(new ColumnChunk { FileOffset = 0, MetaData = chunk.Meta });
        }
        group.TotalByteSize = group.Columns.Sum(c => c.MetaData!.TotalUncompressedSize);
        group.TotalCompressedSize = group.Columns.Sum(c => c.MetaData!.TotalCompressedSize);
        groups.Add(group);
        return position;
    }

    private static async Task WriteFooterAsync(Stream file, ReadOnlyMemory<byte> footer, CancellationToken cancellationToken)
    {
        var length = new byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(length, footer.Length);
        await file.WriteAsync(footer, cancellationToken);
        await file.WriteAsync(length, cancellationToken);
    }

    private static FileMetaData NewMetaData(ColumnBatch batch, IReadOnlyDictionary<string, string> footer) => new()
    {
        Version = 2,
        Schema = ParquetSchema.Elements([.. batch.Columns]),
        NumRows = batch.Rows,
        KeyValueMetadata = [.. footer.Select(pair => new KeyValue { Key = pair.Key, Value = pair.Value })],
        CreatedBy = "orders-stream version 1.0.0",
        // Without these, readers take the statistics of text columns for the old, ill-defined ones and ignore them.
        ColumnOrders = [.. batch.Columns.Select(_ => new ColumnOrder { TYPEORDER = new TypeDefinedOrder() })],
    };

    private static void Check(ColumnBatch batch)
    {
        if (batch.Rows == 0)
            throw new InvalidOperationException("A Parquet file of no rows was asked for; a batch without rows is not to be written.");
        var encoded = batch.RowGroups.Sum(g => (long)g.Rows);
        if (encoded != batch.Rows)
            throw new InvalidOperationException($"A batch of {batch.Rows} rows has row groups of {encoded}: it was not finished.");
    }
}
