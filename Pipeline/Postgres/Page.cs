using OrdersStream.Rows;

namespace OrdersStream.Postgres;

/// <summary>One row version, ready to be published. The arrays are of exact length, as the client takes them.</summary>
public readonly record struct PageRecord(byte[] Key, byte[] Value, int Partition);

/// <summary>A bounded slice of a window, in its order: the unit of publishing.</summary>
public sealed class Page(TableSchema schema)
{
    public TableSchema Schema { get; } = schema;
    public List<PageRecord> Records { get; } = [];

    /// <summary>Bytes of all keys and values.</summary>
    public long Bytes { get; private set; }

    /// <summary>The last row. Set when the page is complete.</summary>
    public Cursor? Cursor { get; internal set; }

    internal void Add(PageRecord record)
    {
        Records.Add(record);
        Bytes += record.Key.Length + record.Value.Length;
    }
}
