using OrdersStream.Lake;
using OrdersStream.Rows;

namespace OrdersStream.Store;

/// <summary>What taking rows of one schema needs, made once and reused: decoder, row, partitioner.</summary>
internal sealed class RowShape(TableSchema schema, string partitionBy)
{
    private readonly MessageDecoder decoder = new(schema);
    private readonly LakeFolders partitioner = LakeFolders.For(schema, partitionBy);

    public TableSchema Schema { get; } = schema;
    public DecodedRow Row { get; } = new(schema);

    /// <summary>Decodes into <see cref="Row"/> and tells its folder.</summary>
    /// <exception cref="UndecodableException">The value is no row of this schema.</exception>
    public string Decode(ReadOnlySpan<byte> value)
    {
        decoder.Decode(value, Row);
        return partitioner.FolderOf(Row);
    }
}
