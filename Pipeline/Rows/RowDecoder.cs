namespace OrdersStream.Rows;

/// <summary>A record's value is not a row of its schema. The reason names the column and the expectation, never a value.</summary>
public sealed class UndecodableException(string reason, Exception? inner = null) : Exception(reason, inner);

/// <summary>Message to row: one flat JSON object to typed cells.</summary>
public sealed class RowDecoder(TableSchema schema)
{
    public TableSchema Schema { get; } = schema;

    /// <summary>Decodes into <paramref name="row"/>, which must be of the same schema. Strict: every column once, nothing else.</summary>
    /// <exception cref="UndecodableException">Not JSON, not an object, a column missing, unknown, doubled, of another type or out of range.</exception>
    public void Decode(ReadOnlySpan<byte> json, DecodedRow row) => throw new NotImplementedException();
}
