using System.Runtime.CompilerServices;
using OrdersStream.Configuration;
using Parquet.Meta;

namespace OrdersStream.Lake;

/// <summary>Writes a batch of columns as one Parquet file.</summary>
public sealed class ParquetFileWriter(DatalakeOptions options)
{
    /// <summary>Decoded size of a row group above which it has fewer than <c>row_group_rows</c>: readers take one whole.</summary>
    private const long RowGroupBytes = 64 * 1024 * 1024;

    private static readonly byte[] Magic = "PAR1"u8.ToArray();

    private ColumnChunkWriter? idle;

    /// <summary>Bytes of a page, before compression, at which the next is begun.</summary>
    internal int PageBytes { get; init; } = 1024 * 1024;

    /// <summary>
    /// Writes all rows of <paramref name="batch"/> to <paramref name="file"/> in row groups of at most <c>row_group_rows</c>, with
    /// <paramref name="footer"/> as the file's key-value metadata. The caller opens, fsyncs and closes the stream.
    /// </summary>
    /// <exception cref="InvalidOperationException">The batch is empty, or its columns are not of one length.</exception>
    public async Task WriteAsync(Stream file, ColumnBatch batch, IReadOnlyDictionary<string, string> footer, CancellationToken cancellationToken)
    {
        Check(batch);
        // The writer and its buffers are kept for the next file, unless one very long value made them large; two files at
        // once have one each.
        var chunks = Interlocked.Exchange(ref idle, null) ?? new ColumnChunkWriter(options, PageBytes);
        chunks.Begin(file);
        await chunks.WriteRawAsync(Magic, cancellationToken);
        var metadata = NewMetaData(batch, footer);
        await WriteRowGroupsAsync(chunks, batch, metadata.RowGroups, cancellationToken);
        await chunks.WriteFooterAsync(metadata, cancellationToken);
        await chunks.WriteRawAsync(Magic, cancellationToken);
        (chunks.IsOvergrown ? chunks : Interlocked.Exchange(ref idle, chunks))?.Dispose();
    }

    private async Task WriteRowGroupsAsync(ColumnChunkWriter chunks, ColumnBatch batch, List<RowGroup> groups, CancellationToken cancellationToken)
    {
        var columns = batch.Columns;
        var next = new PageSlice[columns.Length];
        var mayRepeat = columns.Select(_ => new StrongBox<bool>(true)).ToArray();
        var rowsMax = (int)Math.Clamp(RowGroupBytes * batch.Rows / Math.Max(1, batch.Bytes), 1, options.RowGroupRows);
        for (var row = 0; row < batch.Rows; row += rowsMax)
        {
            var rows = Math.Min(rowsMax, batch.Rows - row);
            var group = new RowGroup { NumRows = rows, FileOffset = chunks.Position, Ordinal = groups.Count <= short.MaxValue ? (short)groups.Count : null };
            for (var i = 0; i < columns.Length; i++)
            {
                var slice = columns[i].Page(next[i].Slot + next[i].Slots, next[i].Value + next[i].Values, rows, int.MaxValue);
                if (slice.Rows != rows) throw new InvalidOperationException($"Column '{columns[i].Column.Name}' gave {slice.Rows} rows to a row group of {rows}.");
                group.Columns.Add(await chunks.WriteAsync(columns[i], slice, mayRepeat[i], cancellationToken));
                next[i] = slice;
            }
            group.TotalByteSize = group.Columns.Sum(c => c.MetaData!.TotalUncompressedSize);
            group.TotalCompressedSize = group.Columns.Sum(c => c.MetaData!.TotalCompressedSize);
            groups.Add(group);
        }
    }

    private static FileMetaData NewMetaData(ColumnBatch batch, IReadOnlyDictionary<string, string> footer) => new()
    {
        Version = 2,
        Schema = ParquetSchemaFactory.Elements([.. batch.Columns.Select(c => c.Column)]),
        NumRows = batch.Rows,
        KeyValueMetadata = [.. footer.Select(pair => new KeyValue { Key = pair.Key, Value = pair.Value })],
        CreatedBy = "orders-stream version 1.0.0",
        // Without these, readers take the statistics of text columns for the old, ill-defined ones and ignore them.
        ColumnOrders = [.. batch.Columns.Select(_ => new ColumnOrder { TYPEORDER = new TypeDefinedOrder() })],
    };

    private static void Check(ColumnBatch batch)
    {
        if (batch.Rows == 0) throw new InvalidOperationException("A Parquet file of no rows was asked for; a batch without rows is not to be written.");
        foreach (var column in batch.Columns)
            if (column.Rows != batch.Rows)
                throw new InvalidOperationException($"Column '{column.Column.Name}' has {column.Rows} rows in a batch of {batch.Rows}.");
    }
}
