using OrdersStream.Rows;
using static OrdersStream.UnitTests.ParquetFormat.LakeRows;

namespace OrdersStream.UnitTests.ParquetFormat;

/// <summary>Readers skip row groups by these bounds: a wrong one hides rows.</summary>
public sealed class ParquetStatisticsTests
{
    [Theory]
    [InlineData("v = 'NaN'", 1)]
    [InlineData("v > 5", 2)]
    [InlineData("v < 2", 1)]
    [InlineData("v >= 'infinity'", 1)]
    [InlineData("v IS NULL", 1)]
    public async Task a_filter_on_a_column_with_NaN_finds_its_rows(string filter, long expected)
    {
        using var folder = new TempFolder();
        foreach (var kind in new[] { ColumnKind.Double, ColumnKind.Real })
            foreach (object?[][] rows in new object?[][][]
            {
                [[1d], [double.NaN], [7d], [null]], [[double.NaN], [1d], [7d], [null]], [[7d], [1d], [null], [double.NaN]],
            })
            {
                var file = await WriteAsync(folder, Batch(Schema(Column("v", kind)), rows), name: Guid.NewGuid() + ".parquet");
                Assert.Equal(expected, DuckDb.Scalar(file, $"SELECT count(*) FROM $file WHERE {filter}"));
                Assert.Null(DuckDb.Scalar(file, "SELECT stats_max_value FROM parquet_metadata($file) WHERE path_in_schema = 'v'"));
            }
    }

    [Fact]
    public async Task zero_bounds_cover_both_zeros()
    {
        using var folder = new TempFolder();
        var file = await WriteAsync(folder, Batch(Schema(Column("v", ColumnKind.Double)), [[0d], [0d]]));
        Assert.Equal(["-0.0", "0.0"],
            DuckDb.Query(file, "SELECT stats_min_value, stats_max_value FROM parquet_metadata($file) WHERE path_in_schema = 'v'").Single());
        Assert.Equal(2L, DuckDb.Scalar(file, "SELECT count(*) FROM $file WHERE v = -0.0"));
    }

    [Fact]
    public async Task a_filter_on_each_row_groups_bounds_finds_every_row()
    {
        using var folder = new TempFolder();
        var schema = Schema(
            Column("i", ColumnKind.Integer), Column("d9", ColumnKind.Numeric, precision: 9, scale: 2),
            Column("d38", ColumnKind.Numeric, precision: 38, scale: 3),
            Column("t", ColumnKind.Text), Column("b", ColumnKind.Boolean), Column("ts", ColumnKind.TimestampTz),
            Column("day", ColumnKind.Date), Column("raw", ColumnKind.Bytea));
        string[] texts = ["", "a", "z", "~", "é", "食", "\U0001F35C"];
        var rows = Enumerable.Range(-50, 101).Select(i => new object?[]
        {
            (long)i, (Int128)(i * 100), (Int128)i * 1_000_000_000_000_000_000, texts[(i + 50) % 7], (long)(i & 1),
            i == 50 ? long.MaxValue : i * 1_000_000L, i == -50 ? -(long)int.MaxValue : (long)i, new[] { (byte)(i + 128), (byte)200 },
        }).ToArray();
        var file = await WriteAsync(folder, Batch(schema, rows, encoder: new(new() { RowGroupRows = 5 }) { DataPageRows = 2 }));

        Assert.Equal(101L, DuckDb.Scalar(file, "SELECT count(*) FROM $file WHERE i = d9 AND _offset >= 100"));
        for (var i = -50; i <= 50; i++)
        {
            Assert.Equal(1L, DuckDb.Scalar(file, $"SELECT count(*) FROM $file WHERE i = {i}"));
            Assert.Equal(1L, DuckDb.Scalar(file, $"SELECT count(*) FROM $file WHERE d9 = {i}"));
            Assert.Equal(1L,
                DuckDb.Scalar(file, $"SELECT count(*) FROM $file WHERE d38 = {i}::DECIMAL(38,3) * 1000000000000000::DECIMAL(38,0)"));
            Assert.Equal(1L, DuckDb.Scalar(file, $"SELECT count(*) FROM $file WHERE raw = '\\x{i + 128:X2}\\xC8'::BLOB"));
        }
        foreach (var text in texts)
            Assert.Equal(rows.LongCount(r => (string)r[3]! == text), DuckDb.Scalar(file, $"SELECT count(*) FROM $file WHERE t = '{text}'"));
        Assert.Equal(1L, DuckDb.Scalar(file, "SELECT count(*) FROM $file WHERE ts = 'infinity'"));
        Assert.Equal(1L, DuckDb.Scalar(file, "SELECT count(*) FROM $file WHERE day = '-infinity'"));
        Assert.Equal(50L, DuckDb.Scalar(file, "SELECT count(*) FROM $file WHERE b"));
    }

    [Fact]
    public async Task a_column_of_nulls_has_no_bounds_and_counts_them()
    {
        using var folder = new TempFolder();
        var file = await WriteAsync(folder, Batch(Schema(Column("v", ColumnKind.BigInt)), [[null], [null]]));
        Assert.Equal([null, null, 2L],
            DuckDb.Query(file, "SELECT stats_min_value, stats_max_value, stats_null_count FROM parquet_metadata($file) "
                + "WHERE path_in_schema = 'v'").Single());
        Assert.Equal(2L, DuckDb.Scalar(file, "SELECT count(*) FROM $file WHERE v IS NULL"));
        Assert.Equal(0L, DuckDb.Scalar(file, "SELECT count(*) FROM $file WHERE v = 0"));
    }

    [Fact]
    public async Task a_long_bound_is_left_out()
    {
        using var folder = new TempFolder();
        var file = await WriteAsync(folder, Batch(Schema(Column("v", ColumnKind.Text)), [["a"], [new string('é', 40)]]));
        Assert.Equal(["a", null],
            DuckDb.Query(file, "SELECT stats_min_value, stats_max_value FROM parquet_metadata($file) WHERE path_in_schema = 'v'").Single());
        Assert.Equal(1L, DuckDb.Scalar(file, $"SELECT count(*) FROM $file WHERE v = '{new string('é', 40)}'"));
    }
}
