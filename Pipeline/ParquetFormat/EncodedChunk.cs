using OrdersStream.Memory;
using Parquet.Meta;

namespace OrdersStream.ParquetFormat;

/// <summary>One column of a row group, encoded, and where in it what stands.</summary>
internal sealed class EncodedChunk(ColumnMetaData meta, PooledBytes dictionary, PooledBytes pages)
{
    public ColumnMetaData Meta { get; } = meta;

    /// <summary>Writes the chunk and notes its place in the metadata.</summary>
    /// <returns>The place behind it.</returns>
    public async Task<long> WriteAsync(Stream file, long position, CancellationToken cancellationToken)
    {
        if (dictionary.Length > 0) Meta.DictionaryPageOffset = position;
        Meta.DataPageOffset = position + dictionary.Length;
        await dictionary.WriteToAsync(file, cancellationToken);
        await pages.WriteToAsync(file, cancellationToken);
        return position + dictionary.Length + pages.Length;
    }

    public void Clear()
    {
        dictionary.Clear();
        pages.Clear();
    }
}
