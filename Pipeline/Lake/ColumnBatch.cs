using OrdersStream.Rows;

namespace OrdersStream.Lake;

/// <summary>
/// Rows of one file to be, held by column in typed arrays that are reused from batch to batch. All rows are of one
/// schema, one Kafka partition and one lake partition, in offset order.
/// </summary>
public sealed class ColumnBatch(TableSchema schema)
{
    public TableSchema Schema { get; } = schema;
    public int Rows => throw new NotImplementedException();

    /// <summary>Decoded size, bytes: what the batch and file limits count.</summary>
    public long Bytes => throw new NotImplementedException();
    public long FirstOffset => throw new NotImplementedException();
    public long LastOffset => throw new NotImplementedException();

    /// <summary>Appends one row with its lake columns.</summary>
    public void Append(DecodedRow row, int partition, long offset, string op) => throw new NotImplementedException();

    /// <summary>Empties it and keeps the arrays.</summary>
    public void Clear() => throw new NotImplementedException();
}
