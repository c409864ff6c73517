using System.Collections.Immutable;
using OrdersStream.Postgres;

namespace OrdersStream.Rows;

/// <summary>Row to message: one binary COPY tuple to the record's key and value, without an object per cell.</summary>
public sealed class RowEncoder(TableSchema schema)
{
    public TableSchema Schema { get; } = schema;

    /// <summary>
    /// Encodes the tuple that begins at <paramref name="copyData"/> (its 16-bit field count; columns in the schema's order).
    /// Appends the key's text to <paramref name="key"/> and one JSON object to <paramref name="value"/>.
    /// </summary>
    /// <returns>Bytes of the tuple, or 0 when it is not complete yet (nothing is then appended).</returns>
    public int Encode(ReadOnlySpan<byte> copyData, ByteBuffer key, ByteBuffer value) => throw new NotImplementedException();

    /// <summary>The cursor behind a complete tuple: timestamp and key as Postgres would read them back, exactly.</summary>
    public Cursor CursorAt(ReadOnlySpan<byte> tuple) => throw new NotImplementedException();
}
