using OrdersStream.Memory;
using Parquet.Meta;

namespace OrdersStream.ParquetFormat;

/// <summary>
/// One column of a row group that grows by data pages. Only the rows of the one that is being filled are held as values:
/// the others are encoded already, a fraction of their size (invariant 7).
/// </summary>
internal sealed class ColumnChunkBuilder(ColumnBuffer buffer)
{
    /// <summary>About what its objects take, and their places in the file's lists.</summary>
    private const int ObjectBytes = 168;

    /// <summary>Only while a page that it has indexed waits for the end of the row group.</summary>
    private BytesDictionary? dictionary;
    private bool isClosed = buffer is not ByteArrayBuffer;
    private PooledBytes? pages;
    private long slots, nulls, uncompressed;

    /// <summary>Takes the rows of the page that is being filled.</summary>
    public ColumnBuffer Buffer { get; } = buffer;

    /// <summary>What it keeps when it is empty.</summary>
    public long MemoryHeld => ObjectBytes + Buffer.MemoryHeld;

    /// <summary>Encodes the rows in the buffer as one data page.</summary>
    public void EndDataPage(DataPageEncoder encoder)
    {
        var indexed = TryIndex(encoder);
        if (!indexed) Buffer.AddBounds();
        slots += Buffer.Slots;
        nulls += Buffer.Slots - Buffer.Values;
        uncompressed += encoder.AppendData(Buffer, indexed ? dictionary : null, pages ??= new PooledBytes(encoder.Blocks));
        Buffer.Clear();
    }

    /// <summary>Ends the row group; the next page begins another one.</summary>
    public EncodedChunk End(DataPageEncoder encoder)
    {
        var dictionaryPage = new PooledBytes(encoder.Blocks);
        var anyIndexed = dictionary is not null;
        if (dictionary is not null) uncompressed += encoder.AppendDictionary(dictionary, dictionaryPage);
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
                TotalCompressedSize = dictionaryPage.Length + pages!.Length,
            },
            dictionaryPage, pages);
        Restart(encoder);
        return chunk;
    }

    /// <summary>Gives up what is in it.</summary>
    public void Clear(DataPageEncoder encoder)
    {
        // An empty one has just been sized by its last page.
        if (Buffer.Rows > 0) Buffer.Clear();
        Buffer.TakeBounds(new Statistics());
        pages?.Clear();
        Restart(encoder);
    }

    /// <summary>Of indexed values each distinct one is compared with the bounds once.</summary>
    private bool TryIndex(DataPageEncoder encoder)
    {
        if (isClosed) return false;
        var bytes = (ByteArrayBuffer)Buffer;
        dictionary ??= encoder.Dictionaries.Rent();
        var known = dictionary.Count;
        isClosed = !encoder.Dictionaries.TryAdd(dictionary, bytes);
        if (isClosed)
        {
            // One that indexed nothing is of no more use to this column.
            if (known == 0) ReturnDictionary(encoder);
            return false;
        }
        for (var i = known; i < dictionary.Count; i++) bytes.AddBound(dictionary[i]);
        return true;
    }

    private void Restart(DataPageEncoder encoder)
    {
        ReturnDictionary(encoder);
        pages = null;
        isClosed = Buffer is not ByteArrayBuffer;
        slots = nulls = uncompressed = 0;
    }

    private void ReturnDictionary(DataPageEncoder encoder)
    {
        if (dictionary is not null) encoder.Dictionaries.Return(dictionary);
        dictionary = null;
    }
}
