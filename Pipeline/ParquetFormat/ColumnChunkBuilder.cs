using Parquet.Meta;

namespace OrdersStream.ParquetFormat;

/// <summary>
/// One column of a row group that grows by data pages. Only the rows of the one that is being filled are held as values:
/// the others are encoded already, a fraction of their size (invariant 7).
/// </summary>
internal sealed class ColumnChunkBuilder(ColumnBuffer buffer, EncodedBlocks blocks)
{
    private readonly BytesDictionary? dictionary = buffer is ByteArrayBuffer ? new() : null;
    private EncodedBytes pages = new(blocks);
    private long slots, nulls, uncompressed;
    private bool anyIndexed;

    /// <summary>Takes the rows of the page that is being filled.</summary>
    public ColumnBuffer Buffer { get; } = buffer;

    /// <summary>Encodes the rows in the buffer as one data page.</summary>
    public void EndDataPage(DataPageEncoder encoder)
    {
        var indexed = TryIndex();
        if (!indexed) Buffer.AddBounds();
        slots += Buffer.Slots;
        nulls += Buffer.Slots - Buffer.Values;
        uncompressed += encoder.AppendData(Buffer, indexed ? dictionary : null, pages);
        anyIndexed |= indexed;
        Buffer.Clear();
    }

    /// <summary>Ends the row group; the next page begins another one.</summary>
    public EncodedChunk End(DataPageEncoder encoder)
    {
        var dictionaryPage = new EncodedBytes(blocks);
        if (anyIndexed) uncompressed += encoder.AppendDictionary(dictionary!, dictionaryPage);
        var statistics = new Statistics { NullCount = nulls };
        Buffer.TakeBounds(statistics);
        var chunk = new EncodedChunk(
            new ColumnMetaData
            {
                Type = Buffer.Column.Type.Physical,
                PathInSchema = [.. Buffer.Column.Path],
                Codec = encoder.Codec,
                Encodings = anyIndexed ? [Encoding.PLAIN, Encoding.RLE, Encoding.RLE_DICTIONARY] : [Encoding.PLAIN, Encoding.RLE],
                NumValues = slots,
                Statistics = statistics,
                TotalUncompressedSize = uncompressed,
                TotalCompressedSize = dictionaryPage.Length + pages.Length,
            },
            dictionaryPage, pages);
        pages = new EncodedBytes(blocks);
        Restart();
        return chunk;
    }

    /// <summary>Gives up what is in it.</summary>
    public void Clear()
    {
        // An empty one has just been sized by its last page.
        if (Buffer.Rows > 0) Buffer.Clear();
        Buffer.TakeBounds(new Statistics());
        pages.Clear();
        Restart();
    }

    /// <summary>Of indexed values each distinct one is compared with the bounds once.</summary>
    private bool TryIndex()
    {
        if (dictionary is null) return false;
        var known = dictionary.Count;
        var bytes = (ByteArrayBuffer)Buffer;
        if (!dictionary.TryAdd(bytes)) return false;
        for (var i = known; i < dictionary.Count; i++) bytes.AddBound(dictionary[i]);
        return true;
    }

    private void Restart()
    {
        dictionary?.Clear();
        slots = nulls = uncompressed = 0;
        anyIndexed = false;
    }
}
