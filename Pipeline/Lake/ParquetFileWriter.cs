using OrdersStream.Configuration;

namespace OrdersStream.Lake;

/// <summary>Writes a batch of columns as one Parquet file.</summary>
public sealed class ParquetFileWriter(DatalakeOptions options)
{
    private readonly DatalakeOptions options = options;

    /// <summary>
    /// Writes all rows of <paramref name="batch"/> to <paramref name="file"/> in row groups of <c>row_group_rows</c>, with
    /// <paramref name="footer"/> as the file's key-value metadata. The caller opens, fsyncs and closes the stream.
    /// </summary>
    public Task WriteAsync(Stream file, ColumnBatch batch, IReadOnlyDictionary<string, string> footer, CancellationToken cancellationToken) =>
        throw new NotImplementedException();
}
