using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using OrdersStream.Configuration;
using OrdersStream.Rows;
using Parquet.Meta;

namespace OrdersStream.Lake;

/// <summary>
/// Writes one column of a row group as pages of about <paramref name="pageBytes"/>, so that memory is bounded by a page however
/// large the column is (invariant 7). One instance writes one file at a time and keeps its buffers.
/// </summary>
internal sealed class ColumnChunkWriter(DatalakeOptions options, int pageBytes) : IDisposable
{
    private readonly PageCompressor compressor = new(options);
    private readonly ParquetThrift thrift = new();
    private readonly BytesDictionary dictionary = new();
    private readonly ByteBuffer page = new(2 * pageBytes);
    private Stream file = Stream.Null;

    /// <summary>Bytes written to the file so far: positions in the footer count from its first byte.</summary>
    public long Position { get; private set; }

    /// <summary>Whether a very long value has made the buffers larger than they should stay; the codec's grow with the page.</summary>
    public bool IsOvergrown => page.Array.Length > 4 * pageBytes;

    /// <summary>Begins a file.</summary>
    public void Begin(Stream output) => (file, Position) = (output, 0);

    public async Task WriteRawAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        await file.WriteAsync(bytes, cancellationToken);
        Position += bytes.Length;
    }

    public async Task WriteFooterAsync(FileMetaData footer, CancellationToken cancellationToken)
    {
        var bytes = thrift.Serialize(footer);
        var length = new byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
        await WriteRawAsync(bytes, cancellationToken);
        await WriteRawAsync(length, cancellationToken);
    }

    /// <summary>Writes the pages of one column for the rows of one row group, and tells where they are.</summary>
    /// <param name="mayRepeat">Whether a dictionary is worth a try; set to false where it was not.</param>
    public async Task<ColumnChunk> WriteAsync(ColumnBuffer column, PageSlice rows, StrongBox<bool> mayRepeat, CancellationToken cancellationToken)
    {
        var meta = NewMetaData(column, rows);
        var bytes = mayRepeat.Value ? column as BytesBuffer : null;
        var indexed = bytes is not null && dictionary.TryBuild(bytes, rows);
        mayRepeat.Value = indexed;
        if (indexed) await WriteDictionaryAsync(meta, cancellationToken);

        meta.DataPageOffset = Position;
        meta.Encodings = indexed ? [Encoding.PLAIN, Encoding.RLE, Encoding.RLE_DICTIONARY] : [Encoding.PLAIN, Encoding.RLE];
        for (var (slot, value, left) = (rows.Slot, rows.Value, rows.Rows); left > 0;)
        {
            var slice = column.Page(slot, value, left, pageBytes);
            await WriteDataAsync(column, slice, rows.Value, indexed, meta, cancellationToken);
            (slot, value, left) = (slot + slice.Slots, value + slice.Values, left - slice.Rows);
        }
        return new ColumnChunk { FileOffset = 0, MetaData = meta };
    }

    public void Dispose() => compressor.Dispose();

    private ColumnMetaData NewMetaData(ColumnBuffer column, PageSlice rows)
    {
        var statistics = new Statistics { NullCount = rows.Slots - rows.Values };
        column.AddMinMax(rows, statistics);
        return new ColumnMetaData
        {
            Type = column.Column.Type.Physical,
            PathInSchema = [.. column.Column.Path],
            Codec = compressor.Codec,
            NumValues = rows.Slots,
            Statistics = statistics,
        };
    }

    private Task WriteDictionaryAsync(ColumnMetaData meta, CancellationToken cancellationToken)
    {
        meta.DictionaryPageOffset = Position;
        page.Clear();
        page.Append(dictionary.Plain);
        var header = new PageHeader
        {
            Type = PageType.DICTIONARY_PAGE,
            DictionaryPageHeader = new DictionaryPageHeader { NumValues = dictionary.Count, Encoding = Encoding.PLAIN },
        };
        return WritePageAsync(header, meta, cancellationToken);
    }

    private Task WriteDataAsync(ColumnBuffer column, PageSlice slice, int firstValue, bool indexed, ColumnMetaData meta, CancellationToken cancellationToken)
    {
        page.Clear();
        if (column.Column.MaxRepetitionLevel > 0) EncodeLevels(column.RepetitionLevels(slice), column.Column.MaxRepetitionLevel);
        if (column.Column.MaxDefinitionLevel > 0) EncodeLevels(column.DefinitionLevels(slice), column.Column.MaxDefinitionLevel);
        if (!indexed)
        {
            column.EncodePlain(slice, page);
        }
        else
        {
            page.Append((byte)dictionary.BitWidth);
            HybridEncoder.Encode(dictionary.Indices(slice.Value - firstValue, slice.Values), dictionary.BitWidth, page);
        }
        var header = new PageHeader
        {
            Type = PageType.DATA_PAGE,
            DataPageHeader = new DataPageHeader
            {
                NumValues = slice.Slots,
                Encoding = indexed ? Encoding.RLE_DICTIONARY : Encoding.PLAIN,
                DefinitionLevelEncoding = Encoding.RLE,
                RepetitionLevelEncoding = Encoding.RLE,
            },
        };
        return WritePageAsync(header, meta, cancellationToken);
    }

    /// <summary>A 32-bit length, then the levels.</summary>
    private void EncodeLevels(ReadOnlySpan<byte> levels, int max)
    {
        var start = page.Length;
        page.GetSpan(sizeof(int));
        page.Advance(sizeof(int));
        HybridEncoder.Encode(levels, BitOperations.Log2((uint)max) + 1, page);
        BinaryPrimitives.WriteInt32LittleEndian(page.Array.AsSpan(start), page.Length - start - sizeof(int));
    }

    private async Task WritePageAsync(PageHeader header, ColumnMetaData meta, CancellationToken cancellationToken)
    {
        var compressed = compressor.Compress(page.Array.AsMemory(0, page.Length));
        header.UncompressedPageSize = page.Length;
        header.CompressedPageSize = compressed.Length;
        var headerBytes = thrift.Serialize(header);
        await WriteRawAsync(headerBytes, cancellationToken);
        await WriteRawAsync(compressed, cancellationToken);
        meta.TotalUncompressedSize += headerBytes.Length + page.Length;
        meta.TotalCompressedSize += headerBytes.Length + compressed.Length;
    }
}
