using System.Buffers.Binary;

namespace OrdersStream.Rows;

/// <summary>
/// An array in the binary send format: 32-bit dimensions, null flag and element type, per dimension its length and lower
/// bound, then the elements as length and bytes. A JSON array says neither dimensions nor bounds: other than one that begins at 1 stops.
/// </summary>
internal static class CopyArray
{
    private const int HeaderBytes = 12, DimensionBytes = 8;

    private const string Remedy =
        "Bring the column's values to one dimension that begins at index 1, or change the column to jsonb, which carries any shape.";

    /// <summary>The bytes of the elements, and how many there are.</summary>
    public static ReadOnlySpan<byte> Open(Column column, ReadOnlySpan<byte> field, out int count)
    {
        count = 0;
        if (field.Length < HeaderBytes) throw CopyTuple.Malformed(column, $"{field.Length} bytes that are no array");
        var dimensions = BinaryPrimitives.ReadInt32BigEndian(field);
        if (dimensions == 0) return field[HeaderBytes..];
        if (dimensions != 1) throw CopyTuple.Unsupported(column, $"an array of {dimensions} dimensions cannot be carried", Remedy);
        if (field.Length < HeaderBytes + DimensionBytes) throw CopyTuple.Malformed(column, $"{field.Length} bytes that are no array");
        count = BinaryPrimitives.ReadInt32BigEndian(field[HeaderBytes..]);
        var lowerBound = BinaryPrimitives.ReadInt32BigEndian(field[(HeaderBytes + 4)..]);
        if (lowerBound != 1) throw CopyTuple.Unsupported(column, $"an array that begins at index {lowerBound} cannot be carried", Remedy);
        if (count < 0) throw CopyTuple.Malformed(column, $"an array of {count} elements");
        return field[(HeaderBytes + DimensionBytes)..];
    }

    /// <summary>Takes the next element off; false for NULL.</summary>
    public static bool TryNext(Column column, ref ReadOnlySpan<byte> elements, out ReadOnlySpan<byte> element)
    {
        var length = elements.Length < 4 ? int.MinValue : BinaryPrimitives.ReadInt32BigEndian(elements);
        if (length < -1 || length > elements.Length - 4)
            throw CopyTuple.Malformed(column, "an array whose elements are cut short");
        return CopyTuple.TryNext(ref elements, out element);
    }

    public static void Close(Column column, ReadOnlySpan<byte> elements)
    {
        if (elements.Length > 0) throw CopyTuple.Malformed(column, $"an array with {elements.Length} bytes behind its last element");
    }
}
