using System.Runtime.InteropServices;
using System.Text;
using OrdersStream.Configuration;
using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.Lake.Files;
using OrdersStream.ParquetFormat;
using OrdersStream.Rows;

namespace OrdersStream.UnitTests.ParquetFormat;

/// <summary>
/// Rows by hand. A value is null, a long (integers, booleans as 0 and 1, days, microseconds), a double (real, double
/// precision), an Int128 (a DECIMAL's unscaled value), a string, a byte[], or an object?[] of these for an array.
/// </summary>
internal static class LakeRows
{
    public static readonly TopicIdentity Topic = new("cluster-1", "orders", "topic-id-1");

    public static Column Column(
        string name, ColumnKind kind, bool nullable = true, int? precision = null, int? scale = null, bool isArray = false) =>
        new(name, new ColumnType(kind, $"{kind}{(isArray ? "[]" : "")}", precision, scale, isArray), nullable);

    public static TableSchema Schema(params Column[] columns) => new([.. columns], [0], 0);

    public static DecodedRow Row(TableSchema schema, params object?[] values)
    {
        var row = new DecodedRow(schema);
        for (var i = 0; i < values.Length; i++) row.Cells[i] = Cell(row, values[i]);
        return row;
    }

    public static ColumnBatch Empty(TableSchema schema, DataPageEncoder? encoder = null) =>
        new(schema, encoder ?? new DataPageEncoder(new DatalakeOptions()));

    public static ColumnBatch Batch(
        TableSchema schema, IEnumerable<object?[]> rows, int partition = 3, long firstOffset = 100, DataPageEncoder? encoder = null)
    {
        var batch = Empty(schema, encoder);
        Fill(batch, rows, partition, firstOffset);
        return batch;
    }

    public static void Fill(ColumnBatch batch, IEnumerable<object?[]> rows, int partition = 3, long firstOffset = 100)
    {
        foreach (var values in rows) batch.Append(Row(batch.Schema, values), partition, firstOffset++, "upsert", 1);
    }

    public static FileFooter Footer(ColumnBatch batch, int partition = 3) =>
        new(Topic, partition, batch.FirstOffset, batch.LastOffset, batch.Rows, batch.Schema.Fingerprint, batch.Version);

    /// <summary>Writes a file and gives its path back.</summary>
    public static async Task<string> WriteAsync(TempFolder folder, ColumnBatch batch, string name = "rows.parquet")
    {
        var path = folder[name];
        await using var file = new FileStream(path, FileMode.CreateNew);
        batch.Finish();
        await ParquetFileWriter.WriteAsync(file, batch, Footer(batch).ToMetadata(), CancellationToken.None);
        return path;
    }

    /// <summary>All rows of a file as values, through the lake's own reader.</summary>
    public static async Task<List<object?[]>> ReadAsync(string path, TableSchema schema)
    {
        var rows = new List<object?[]>();
        await foreach (var row in new LakeReader(new LakeFolder("/"), _ => schema).ReadAsync(path, CancellationToken.None))
            rows.Add([.. schema.Columns.Select((c, i) => Value(row.Row, row.Row.Cells[i], c.Type))]);
        return rows;
    }

    public static void AssertSame(IReadOnlyList<object?[]> expected, IReadOnlyList<object?[]> actual)
    {
        Assert.Equal(expected.Count, actual.Count);
        for (var i = 0; i < expected.Count; i++) Assert.Equal(expected[i].Select(Show), actual[i].Select(Show));
    }

    /// <summary>A value as text that tells any two apart, -0 from 0 too.</summary>
    public static string Show(object? value) => value switch
    {
        null => "NULL",
        object?[] array => "[" + string.Join(", ", array.Select(Show)) + "]",
        byte[] bytes => "0x" + Convert.ToHexString(bytes),
        string text => $"'{text}'",
        double d => "bits " + BitConverter.DoubleToInt64Bits(double.IsNaN(d) ? double.NaN : d).ToString("x16"),
        _ => Convert.ToString(value, System.Globalization.CultureInfo.InvariantCulture)!,
    };

    private static Cell Cell(DecodedRow row, object? value)
    {
        switch (value)
        {
            case null: return new Cell { IsNull = true };
            case long bits: return new Cell { Bits = bits };
            case double d: return new Cell { Bits = BitConverter.DoubleToInt64Bits(d) };
            case Int128 unscaled: return new Cell { Bits = (long)unscaled, High = (long)(unscaled >> 64) };
            case string text: return Cell(row, Encoding.UTF8.GetBytes(text));
            case byte[] bytes:
                var start = row.Bytes.Length;
                row.Bytes.Append(bytes);
                return new Cell { Start = start, Length = bytes.Length };
            case object?[] elements:
                // The text of an element comes before the element, as the decoder leaves it.
                var cells = elements.Select(e => Cell(row, e)).ToList();
                var first = row.Elements.Count;
                row.Elements.AddRange(cells);
                return new Cell { Start = first, Length = cells.Count };
            default: throw new ArgumentException($"a value cannot be a {value.GetType()}");
        }
    }

    private static object? Value(DecodedRow row, Cell cell, ColumnType type)
    {
        if (cell.IsNull) return null;
        if (type.IsArray)
            return CollectionsMarshal.AsSpan(row.Elements)
                .Slice(cell.Start, cell.Length).ToArray().Select(e => Value(row, e, type with { IsArray = false })).ToArray();
        var bytes = row.Bytes.Written;
        return type.Kind switch
        {
            ColumnKind.Real or ColumnKind.Double => BitConverter.Int64BitsToDouble(cell.Bits),
            ColumnKind.Numeric when DecimalShape.Of(type) is not null => cell.Unscaled,
            ColumnKind.Bytea => bytes.Slice(cell.Start, cell.Length).ToArray(),
            ColumnKind.Text or ColumnKind.Numeric or ColumnKind.Uuid or ColumnKind.Json or ColumnKind.Jsonb =>
                Encoding.UTF8.GetString(bytes.Slice(cell.Start, cell.Length)),
            _ => cell.Bits,
        };
    }
}
