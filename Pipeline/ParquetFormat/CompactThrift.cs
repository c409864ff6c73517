using Parquet.Meta;

namespace OrdersStream.ParquetFormat;

/// <summary>
/// Metadata serialized without the package: the fields that this project sets, by their ids in Apache Parquet's
/// parquet.thrift. A field that is set and missing here fails the test that both ways write the same bytes.
/// </summary>
internal sealed class CompactThrift : ParquetThrift
{
    private readonly ThriftCompactWriter writer = new();

    public override ReadOnlyMemory<byte> Serialize(PageHeader header) => writer.Root(header, Write);

    public override ReadOnlyMemory<byte> Serialize(FileMetaData footer) => writer.Root(footer, Write);

    private static void Write(ThriftCompactWriter to, PageHeader header)
    {
        to.Int32(1, (int)header.Type);
        to.Int32(2, header.UncompressedPageSize);
        to.Int32(3, header.CompressedPageSize);
        to.Struct(5, header.DataPageHeader, Write);
        to.Struct(7, header.DictionaryPageHeader, Write);
    }

    private static void Write(ThriftCompactWriter to, DataPageHeader header)
    {
        to.Int32(1, header.NumValues);
        to.Int32(2, (int)header.Encoding);
        to.Int32(3, (int)header.DefinitionLevelEncoding);
        to.Int32(4, (int)header.RepetitionLevelEncoding);
    }

    private static void Write(ThriftCompactWriter to, DictionaryPageHeader header)
    {
        to.Int32(1, header.NumValues);
        to.Int32(2, (int)header.Encoding);
    }

    private static void Write(ThriftCompactWriter to, FileMetaData footer)
    {
        to.Int32(1, footer.Version);
        to.Structs(2, footer.Schema, Write);
        to.Int64(3, footer.NumRows);
        to.Structs(4, footer.RowGroups, Write);
        to.Structs(5, footer.KeyValueMetadata, Write);
        to.Text(6, footer.CreatedBy);
        to.Structs(7, footer.ColumnOrders, Write);
    }

    private static void Write(ThriftCompactWriter to, SchemaElement element)
    {
        to.Int32(1, (int?)element.Type);
        to.Int32(2, element.TypeLength);
        to.Int32(3, (int?)element.RepetitionType);
        to.Text(4, element.Name);
        to.Int32(5, element.NumChildren);
        to.Int32(6, (int?)element.ConvertedType);
        to.Int32(7, element.Scale);
        to.Int32(8, element.Precision);
        to.Struct(10, element.LogicalType, Write);
    }

    /// <summary>A union: one of these is set.</summary>
    private static void Write(ThriftCompactWriter to, LogicalType type)
    {
        to.Empty(1, type.STRING);
        to.Empty(3, type.LIST);
        to.Struct(5, type.DECIMAL, Write);
        to.Empty(6, type.DATE);
        to.Struct(7, type.TIME, Write);
        to.Struct(8, type.TIMESTAMP, Write);
        to.Struct(10, type.INTEGER, Write);
    }

    private static void Write(ThriftCompactWriter to, DecimalType type)
    {
        to.Int32(1, type.Scale);
        to.Int32(2, type.Precision);
    }

    private static void Write(ThriftCompactWriter to, TimeType type)
    {
        to.Boolean(1, type.IsAdjustedToUTC);
        to.Struct(2, type.Unit, Write);
    }

    private static void Write(ThriftCompactWriter to, TimestampType type)
    {
        to.Boolean(1, type.IsAdjustedToUTC);
        to.Struct(2, type.Unit, Write);
    }

    private static void Write(ThriftCompactWriter to, TimeUnit unit) => to.Empty(2, unit.MICROS);

    private static void Write(ThriftCompactWriter to, IntType type)
    {
        to.Byte(1, type.BitWidth);
        to.Boolean(2, type.IsSigned);
    }

    private static void Write(ThriftCompactWriter to, RowGroup group)
    {
        to.Structs(1, group.Columns, Write);
        to.Int64(2, group.TotalByteSize);
        to.Int64(3, group.NumRows);
        to.Int64(5, group.FileOffset);
        to.Int64(6, group.TotalCompressedSize);
        to.Int16(7, group.Ordinal);
    }

    private static void Write(ThriftCompactWriter to, ColumnChunk chunk)
    {
        to.Int64(2, chunk.FileOffset);
        to.Struct(3, chunk.MetaData, Write);
    }

    private static void Write(ThriftCompactWriter to, ColumnMetaData column)
    {
        to.Int32(1, (int)column.Type);
        to.Int32s(2, column.Encodings.ConvertAll(e => (int)e));
        to.Texts(3, column.PathInSchema);
        to.Int32(4, (int)column.Codec);
        to.Int64(5, column.NumValues);
        to.Int64(6, column.TotalUncompressedSize);
        to.Int64(7, column.TotalCompressedSize);
        to.Int64(9, column.DataPageOffset);
        to.Int64(11, column.DictionaryPageOffset);
        to.Struct(12, column.Statistics, Write);
    }

    private static void Write(ThriftCompactWriter to, Statistics statistics)
    {
        to.Int64(3, statistics.NullCount);
        to.Binary(5, statistics.MaxValue);
        to.Binary(6, statistics.MinValue);
    }

    private static void Write(ThriftCompactWriter to, KeyValue pair)
    {
        to.Text(1, pair.Key);
        to.Text(2, pair.Value);
    }

    private static void Write(ThriftCompactWriter to, ColumnOrder order) => to.Empty(1, order.TYPEORDER);
}
