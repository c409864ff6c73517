using OrdersStream.Diagnostics;
using OrdersStream.Lake;
using OrdersStream.Rows;

namespace OrdersStream.Store;

/// <summary>What taking rows of one schema needs, made once and reused: decoder, row, folders.</summary>
internal sealed class RowShape(TableSchema schema, string partitionBy, FolderName folderName)
{
    private readonly MessageDecoder decoder = new(schema);
    private readonly HivePartitioning folders = HivePartitioning.For(schema, partitionBy, folderName);
    private KeyDecoder? keys;

    public TableSchema Schema { get; } = schema;
    public DecodedRow Row { get; } = new(schema);

    /// <summary>Decodes into <see cref="Row"/> and returns its folder.</summary>
    /// <exception cref="UndecodableException">The value is no row of this schema.</exception>
    public string Decode(ReadOnlySpan<byte> value)
    {
        decoder.Decode(value, Row);
        return folders.FolderOf(Row);
    }

    /// <summary>
    /// The same for a delete, of which only the key is known: where folders are not made by that, it is in the one for no value. In which
    /// one the row was, nobody knows here, and a reader that looks for the newest version of a key looks into all.
    /// </summary>
    /// <exception cref="UndecodableException">It is no key of this schema.</exception>
    public string DecodeDelete(ReadOnlySpan<byte> key)
    {
        (keys ??= new KeyDecoder(Schema)).Decode(key, Row);
        return folders.FolderOf(Row);
    }
}
