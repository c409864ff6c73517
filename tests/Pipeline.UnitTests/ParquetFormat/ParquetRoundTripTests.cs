using CsCheck;
using OrdersStream.ParquetFormat;
using OrdersStream.Rows;
using static OrdersStream.UnitTests.ParquetFormat.LakeRows;

namespace OrdersStream.UnitTests.ParquetFormat;

public sealed class ParquetRoundTripTests
{
    private static readonly Gen<string> Text = Gen.OneOf(
        Gen.String[Gen.Char['a', 'z'], 0, 5], Gen.OneOf("", "PLACED", "DELIVERED", "Größe", "食 🍜"),
        Gen.String[Gen.Char['\u0001', '\ud7ff'], 0, 200]);

    private static readonly Gen<Column> Columns =
        from kind in Gen.Enum<ColumnKind>()
        from nullable in Gen.Bool
        from isArray in Gen.Frequency((4, Gen.Const(false)), (1, Gen.Const(true)))
        from precision in Gen.Int[1, 40]
        from scale in Gen.Int[-3, 40]
        from declared in Gen.Bool
        select Column("c", kind, nullable, kind == ColumnKind.Numeric && declared ? precision : null,
            kind == ColumnKind.Numeric && declared ? scale : null, isArray);

    private static readonly Gen<(TableSchema Schema, object?[][] Rows, int RowGroupRows, int DataPageRows, int DataPageBytes)> Tables =
        from columns in Columns.Array[1, 6]
        let named = columns.Select((c, i) => c with { Name = $"c{i}" }).ToArray()
        from count in Gen.OneOf(Gen.Int[1, 40], Gen.Int[1, 1_000])
        from rows in RowOf(named).Array[count]
        from rowGroupRows in Gen.Int[1, 1_000]
        from pageRows in Gen.OneOf(Gen.Int[1, 20], Gen.Int[20, 2_000])
        from pageBytes in Gen.OneOf(Gen.Int[1, 100], Gen.Int[100, 100_000])
        select (Schema(named), rows, Math.Max(rowGroupRows, count / 20), pageRows, pageBytes);

    [Fact]
    public async Task any_rows_of_any_schema_come_back_from_both_readers()
    {
        await Tables.SampleAsync(async table =>
        {
            using var folder = new TempFolder();
            var encoder = new DataPageEncoder(new() { RowGroupRows = table.RowGroupRows })
            {
                DataPageRows = table.DataPageRows, DataPageBytes = table.DataPageBytes,
            };
            var file = await WriteAsync(folder, Batch(table.Schema, table.Rows, encoder: encoder));
            AssertSame(table.Rows, DuckDb.Rows(file, table.Schema));
            AssertSame(table.Rows, await ReadAsync(file, table.Schema));
        }, iter: 60, threads: 1, print: t => $"{t.Schema.ToJson()} {t.Rows.Length} rows, {t.RowGroupRows} a row group, "
            + $"{t.DataPageRows} rows or {t.DataPageBytes} bytes a page");
    }

    private static Gen<object?[]> RowOf(Column[] columns) =>
        columns.Select(ValueOf).Aggregate(
            Gen.Const(Array.Empty<object?>()), (row, value) => Gen.Select(row, value, (r, v) => new List<object?>(r) { v }.ToArray()));

    private static Gen<object?> ValueOf(Column column)
    {
        var element = ElementOf(column.Type);
        var value = column.Type.IsArray ? OrNull(element).Array[0, 5].Select(e => (object?)e) : element;
        return column.Nullable ? OrNull(value) : value;
    }

    private static Gen<object?> OrNull(Gen<object?> gen) => Gen.Frequency((1, Gen.Const((object?)null)), (4, gen));

    private static Gen<object?> ElementOf(ColumnType type) => type.Kind switch
    {
        ColumnKind.SmallInt => Gen.Short.Select(v => (object?)(long)v),
        ColumnKind.Integer => Gen.Int.Select(v => (object?)(long)v),
        ColumnKind.Date =>
            Gen.OneOf(Gen.Int[-2_440_588, 2_145_031_948], Gen.OneOf(int.MaxValue, -int.MaxValue)).Select(v => (object?)(long)v),
        ColumnKind.BigInt => Gen.Long.Select(v => (object?)v),
        ColumnKind.Time => Gen.Long[0, 86_400_000_000].Select(v => (object?)v),
        ColumnKind.Timestamp or ColumnKind.TimestampTz =>
            Gen.OneOf(Gen.Long[-210_866_803_200_000_000, 9_223_371_331_199_999_999], Gen.OneOf(long.MaxValue, -long.MaxValue))
                .Select(v => (object?)v),
        ColumnKind.Boolean => Gen.Bool.Select(v => (object?)(v ? 1L : 0L)),
        ColumnKind.Real => Gen.Float.Select(v => (object?)(double)v),
        ColumnKind.Double => Gen.Double.Select(v => (object?)v),
        ColumnKind.Bytea => Gen.Byte.Array[0, 20].Select(v => (object?)v),
        ColumnKind.Numeric when DecimalShape.Of(type) is { } shape => Unscaled(shape.Precision).Select(v => (object?)v),
        _ => Text.Select(v => (object?)v),
    };

    private static Gen<Int128> Unscaled(int precision)
    {
        var limit = Enumerable.Repeat((Int128)10, precision).Aggregate(Int128.One, (a, b) => a * b);
        return Gen.Select(Gen.ULong, Gen.ULong, (high, low) => (Int128)(new UInt128(high, low) % (UInt128)(2 * limit - 1)) - (limit - 1));
    }
}
