using OrdersStream.Memory;

namespace OrdersStream.Rows;

/// <summary>
/// One decoded value, 40 bytes, no object. What the fields hold depends on the column's kind:
/// integers, boolean (0/1): <see cref="Bits"/>. real, double: the IEEE bits of the double (a real is widened). date: days since
/// 1970-01-01. time: microseconds since midnight. timestamp, timestamptz: microseconds since 1970-01-01 (UTC).
/// numeric that is a Parquet DECIMAL: the unscaled value at the DECIMAL's scale, <see cref="High"/> and <see cref="Bits"/> as one Int128.
/// text, uuid, json, jsonb, numeric without a scale: UTF-8 text at <see cref="Start"/>, <see cref="Length"/> in the row's
/// <see cref="DecodedRow.Bytes"/>;
/// bytea: the raw bytes there. An array: <see cref="Start"/> and <see cref="Length"/> count in <see cref="DecodedRow.Elements"/>.
/// 'infinity' of date, timestamp and timestamptz is the greatest Int32 or Int64, '-infinity' its negative (not the least value).
/// </summary>
public struct Cell
{
    public bool IsNull;
    public long Bits;
    public long High;
    public int Start;
    public int Length;

    /// <summary>The unscaled value of a DECIMAL.</summary>
    public readonly Int128 Unscaled => new((ulong)High, (ulong)Bits);
}

/// <summary>One row as the decoder leaves it; reused from row to row.</summary>
public sealed class DecodedRow(TableSchema schema)
{
    public TableSchema Schema { get; } = schema;

    /// <summary>One cell a column, in the schema's order.</summary>
    public Cell[] Cells { get; } = new Cell[schema.Columns.Length];

    /// <summary>Elements of the array cells.</summary>
    public List<Cell> Elements { get; } = [];

    /// <summary>Where text and binary cells lie.</summary>
    public ByteBuffer Bytes { get; } = new();
}
