using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Numerics;
using OrdersStream.Configuration;
using OrdersStream.Memory;
using OrdersStream.Rows;
using Parquet.Meta;

namespace OrdersStream.ParquetFormat;

/// <summary>Encodes and compresses data pages, each with its header before it. Serves one thread and keeps its buffers.</summary>
public sealed class DataPageEncoder(DatalakeOptions options) : IDisposable
{
    /// <summary>Of what encoded pages lay in: enough for the next batch.</summary>
    private const long IdleBytesMax = 32 * 1024 * 1024;

    private readonly DataPageCompressor compressor = new(options);
    private readonly ByteBuffer page = new(64 * 1024);
    private readonly Dictionary<string, ImmutableArray<ParquetColumn>> columns = [];
    private ParquetThrift? thrift;

    /// <summary>
    /// Rows at which all columns of a file end their data page: what is not yet encoded then stays in the processor's cache.
    /// </summary>
    internal int DataPageRows { get; init; } = 10_000;

    /// <summary>Decoded size of a file's rows at which their data pages end even before (invariant 7).</summary>
    internal int DataPageBytes { get; init; } = 4 * 1024 * 1024;

    /// <summary>What the files that are encoded with it hold in memory: arrays, dictionaries, encoded pages.</summary>
    internal HeldMemory Held { get; } = new();

    /// <summary>What encoded pages lie in.</summary>
    internal BlockPool Blocks => field ??= new BlockPool(Held, IdleBytesMax);

    /// <summary>What text columns are indexed by.</summary>
    internal IdleDictionaries Dictionaries => field ??= new IdleDictionaries(Held);

    /// <summary>Makes what serializes page headers and footers.</summary>
    internal Func<ParquetThrift> NewThrift { get; init; } = ParquetThrift.New;

    /// <summary>Rows of a row group at the most.</summary>
    internal int RowGroupRows => options.RowGroupRows;

    internal CompressionCodec Codec => compressor.Codec;

    /// <summary>The columns of a schema, made once for all its files.</summary>
    internal ImmutableArray<ParquetColumn> ColumnsOf(TableSchema schema)
    {
        if (!columns.TryGetValue(schema.Fingerprint, out var found)) columns[schema.Fingerprint] = found = ParquetSchema.Columns(schema);
        return found;
    }

    /// <summary>Appends the column's rows as one data page.</summary>
    /// <param name="dictionary">Which has just indexed them; null: they are written as they are.</param>
    /// <returns>Size with the header, before compression.</returns>
    internal long AppendData(ColumnBuffer column, BytesDictionary? dictionary, PooledBytes to)
    {
        page.Clear();
        if (column.Column.MaxRepetitionLevel > 0) EncodeLevels(column.RepetitionLevels, column.Column.MaxRepetitionLevel);
        if (column.Column.MaxDefinitionLevel > 0) EncodeLevels(column.DefinitionLevels, column.Column.MaxDefinitionLevel);
        if (dictionary is null)
        {
            column.EncodePlain(page);
        }
        else
        {
            page.Append((byte)dictionary.BitWidth);
            RleBitPackingEncoder.Encode(dictionary.Indices(column.Values), dictionary.BitWidth, page);
        }
        return AppendPage(to, new PageHeader
        {
            Type = PageType.DATA_PAGE,
            DataPageHeader = new DataPageHeader
            {
                NumValues = column.Slots,
                Encoding = dictionary is null ? Encoding.PLAIN : Encoding.RLE_DICTIONARY,
                DefinitionLevelEncoding = Encoding.RLE,
                RepetitionLevelEncoding = Encoding.RLE,
            },
        });
    }

    /// <summary>Appends the dictionary page of a column chunk.</summary>
    /// <returns>Size with the header, before compression.</returns>
    internal long AppendDictionary(BytesDictionary dictionary, PooledBytes to)
    {
        page.Clear();
        page.Append(dictionary.Plain);
        return AppendPage(to, new PageHeader
        {
            Type = PageType.DICTIONARY_PAGE,
            DictionaryPageHeader = new DictionaryPageHeader { NumValues = dictionary.Count, Encoding = Encoding.PLAIN },
        });
    }

    public void Dispose() => compressor.Dispose();

    /// <summary>A 32-bit length, then the levels.</summary>
    private void EncodeLevels(ReadOnlySpan<byte> levels, int max)
    {
        var start = page.Length;
        page.GetSpan(sizeof(int));
        page.Advance(sizeof(int));
        RleBitPackingEncoder.Encode(levels, BitOperations.Log2((uint)max) + 1, page);
        BinaryPrimitives.WriteInt32LittleEndian(page.Array.AsSpan(start), page.Length - start - sizeof(int));
    }

    private long AppendPage(PooledBytes to, PageHeader header)
    {
        var compressed = compressor.Compress(page.Array.AsMemory(0, page.Length));
        header.UncompressedPageSize = page.Length;
        header.CompressedPageSize = compressed.Length;
        thrift ??= NewThrift();
        var headerBytes = thrift.Serialize(header);
        to.Append(headerBytes.Span);
        to.Append(compressed.Span);
        return headerBytes.Length + page.Length;
    }
}
