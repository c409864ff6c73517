using System.Buffers.Binary;
using OrdersStream.Diagnostics;

namespace OrdersStream.Rows;

/// <summary>
/// The frame of one binary COPY tuple: a 16-bit field count, then for each field a 32-bit length (-1 for NULL) and its bytes.
/// </summary>
internal static class CopyTuple
{
    public const int HeaderBytes = 2;

    private const string ReadAnew =
        "The table was changed after its columns were read, or the connection is damaged: start PostgresToKafka again.";

    /// <summary>Bytes of the tuple at the beginning of <paramref name="data"/>, or 0 when it is not complete yet.</summary>
    public static int LengthOf(ReadOnlySpan<byte> data, TableSchema schema)
    {
        if (data.Length < HeaderBytes) return 0;
        var fields = BinaryPrimitives.ReadInt16BigEndian(data);
        if (fields != schema.Columns.Length)
            throw new PipelineException(
                FailureAction.Stop, $"COPY sent a row of {fields} fields for a table of {schema.Columns.Length} columns.", ReadAnew);
        var at = HeaderBytes;
        for (var i = 0; i < fields; i++)
        {
            if (data.Length - at < 4) return 0;
            var length = BinaryPrimitives.ReadInt32BigEndian(data[at..]);
            if (length < -1) throw Malformed(schema.Columns[i], $"a field of length {length}");
            at += 4;
            if (length <= 0) continue;
            if (data.Length - at < length) return 0;
            at += length;
        }
        return at;
    }

    /// <summary>Takes the next field off <paramref name="fields"/>; false for NULL. The tuple must be complete.</summary>
    public static bool TryNext(ref ReadOnlySpan<byte> fields, out ReadOnlySpan<byte> field)
    {
        var length = BinaryPrimitives.ReadInt32BigEndian(fields);
        if (length < 0)
        {
            fields = fields[4..];
            field = default;
            return false;
        }
        field = fields.Slice(4, length);
        fields = fields[(4 + length)..];
        return true;
    }

    public static PipelineException Malformed(Column column, string seen) =>
        new(FailureAction.Stop, $"column \"{column.Name}\" ({column.Type.PostgresName}): COPY sent {seen}.", ReadAnew);

    public static PipelineException Unsupported(Column column, string seen, string remedy) =>
        new(FailureAction.Stop, $"column \"{column.Name}\" ({column.Type.PostgresName}): {seen}.", remedy);
}
