using OrdersStream.Diagnostics;
using OrdersStream.ParquetFormat;
using OrdersStream.Rows;
using static OrdersStream.UnitTests.ParquetFormat.LakeRows;

namespace OrdersStream.UnitTests.ParquetFormat;

public sealed class ParquetTypesTests
{
    private static readonly Int128 NinesOf38 = Int128.Parse("99999999999999999999999999999999999999");

    /// <summary>Kind, precision, scale, Parquet's physical type, DuckDB's type, and values with the extremes.</summary>
    public static TheoryData<string> Kinds => [.. Cases.Keys];

    private static readonly Dictionary<string, (Column Column, string Physical, string DuckDb, object?[] Values)> Cases = new()
    {
        ["smallint"] = (Column("v", ColumnKind.SmallInt), "INT32", "SMALLINT", [-32768L, 0L, null, 32767L]),
        ["integer"] = (Column("v", ColumnKind.Integer), "INT32", "INTEGER", [(long)int.MinValue, -1L, null, (long)int.MaxValue]),
        ["bigint"] = (Column("v", ColumnKind.BigInt), "INT64", "BIGINT", [long.MinValue, -1L, null, long.MaxValue]),
        ["numeric(1,0)"] = (Numeric(1, 0), "INT32", "DECIMAL(1,0)", [(Int128)(-9), (Int128)0, null, (Int128)9]),
        ["numeric(9,2)"] = (Numeric(9, 2), "INT32", "DECIMAL(9,2)", [(Int128)(-999_999_999), (Int128)5, null, (Int128)999_999_999]),
        ["numeric(10,2)"] = (Numeric(10, 2), "INT64", "DECIMAL(10,2)",
            [(Int128)(-9_999_999_999), (Int128)1250, null, (Int128)9_999_999_999]),
        ["numeric(18,18)"] = (Numeric(18, 18), "INT64", "DECIMAL(18,18)",
            [-(Int128)999_999_999_999_999_999, (Int128)1, null, (Int128)999_999_999_999_999_999]),
        ["numeric(19,0)"] = (Numeric(19, 0), "FIXED_LEN_BYTE_ARRAY", "DECIMAL(19,0)",
            [-Int128.Parse("9999999999999999999"), (Int128)(-1), null, Int128.Parse("9999999999999999999")]),
        ["numeric(38,0)"] = (Numeric(38, 0), "FIXED_LEN_BYTE_ARRAY", "DECIMAL(38,0)",
            [-NinesOf38, (Int128)(-1), (Int128)0, null, (Int128)256, NinesOf38]),
        ["numeric(38,38)"] = (Numeric(38, 38), "FIXED_LEN_BYTE_ARRAY", "DECIMAL(38,38)", [-NinesOf38, (Int128)1, null, NinesOf38]),
        ["numeric(3,-2)"] = (Numeric(3, -2), "INT32", "DECIMAL(5,0)", [(Int128)(-99900), null, (Int128)100]),
        ["numeric(2,5)"] = (Numeric(2, 5), "INT32", "DECIMAL(5,5)", [(Int128)(-99), null, (Int128)99]),
        ["numeric"] = (Column("v", ColumnKind.Numeric), "BYTE_ARRAY", "VARCHAR", ["0.100", "NaN", null, "-Infinity", new string('9', 200)]),
        ["numeric(39,1)"] = (Numeric(39, 1), "BYTE_ARRAY", "VARCHAR", ["1.5", null, new string('9', 38) + ".9"]),
        ["real"] = (Column("v", ColumnKind.Real), "FLOAT", "FLOAT",
            [(double)0.1f, -0d, null, (double)float.MaxValue, (double)float.Epsilon, double.NaN, double.PositiveInfinity,
                double.NegativeInfinity]),
        ["double"] = (Column("v", ColumnKind.Double), "DOUBLE", "DOUBLE",
            [0.1, -0d, null, double.MaxValue, double.Epsilon, double.NaN, double.PositiveInfinity, double.NegativeInfinity]),
        ["boolean"] = (Column("v", ColumnKind.Boolean), "BOOLEAN", "BOOLEAN", [1L, 0L, null, 1L, 1L, 0L, 0L, 1L, 1L, 1L, null, 0L]),
        ["text"] = (Column("v", ColumnKind.Text), "BYTE_ARRAY", "VARCHAR",
            ["", "a", null, "Größe 食 🍜", " trailing ", "'quoted\"\n\t", "same", "same"]),
        ["uuid"] = (Column("v", ColumnKind.Uuid), "BYTE_ARRAY", "VARCHAR", ["0b9cdd0c-3e5f-4a1e-8f52-6c1e2f9f2a10", null]),
        ["json"] = (Column("v", ColumnKind.Json), "BYTE_ARRAY", "VARCHAR", ["{\"a\" : 1}", "null", null]),
        ["jsonb"] = (Column("v", ColumnKind.Jsonb), "BYTE_ARRAY", "VARCHAR", ["{\"a\": [1, null]}", null]),
        ["bytea"] = (Column("v", ColumnKind.Bytea), "BYTE_ARRAY", "BLOB",
            [new byte[] { 0, 255, 128 }, Array.Empty<byte>(), null, new byte[] { 0xC3 }]),
        // From 4713 BC to 5874897 AD, as Postgres has it.
        ["date"] = (Column("v", ColumnKind.Date), "INT32", "DATE",
            [0L, -2_440_588L, 2_145_031_948L, null, (long)int.MaxValue, -(long)int.MaxValue]),
        ["time"] = (Column("v", ColumnKind.Time), "INT64", "TIME", [0L, 86_399_999_999L, null, 86_400_000_000L]),
        // From 4713 BC to 294276 AD.
        ["timestamp"] = (Column("v", ColumnKind.Timestamp), "INT64", "TIMESTAMP",
            [0L, -210_866_803_200_000_000L, 9_223_371_331_199_999_999L, null, 253_402_300_800_000_001L, long.MaxValue, -long.MaxValue]),
        ["timestamptz"] = (Column("v", ColumnKind.TimestampTz), "INT64", "TIMESTAMP WITH TIME ZONE",
            [0L, -210_866_803_200_000_000L, 9_223_371_331_199_999_999L, null, 1_700_000_000_123_456L, long.MaxValue, -long.MaxValue]),
    };

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task every_kind_comes_back_from_DuckDB_and_from_the_lake_reader(string kind)
    {
        var (column, _, _, values) = Cases[kind];
        using var folder = new TempFolder();
        var schema = Schema(column);
        var rows = values.Select(v => new[] { v }).ToArray();
        var file = await WriteAsync(folder, Batch(schema, rows));

        AssertSame(rows, DuckDb.Rows(file, schema));
        AssertSame(rows, await ReadAsync(file, schema));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task every_kind_comes_back_where_the_column_is_not_nullable(string kind)
    {
        var (column, _, _, values) = Cases[kind];
        using var folder = new TempFolder();
        var schema = Schema(column with { Nullable = false });
        var rows = values.Where(v => v is not null).Select(v => new[] { v }).ToArray();
        var file = await WriteAsync(folder, Batch(schema, rows));

        AssertSame(rows, DuckDb.Rows(file, schema));
        AssertSame(rows, await ReadAsync(file, schema));
        Assert.Equal("REQUIRED", DuckDb.Scalar(file, "SELECT repetition_type FROM parquet_schema($file) WHERE name = 'v'"));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task every_kind_comes_back_as_an_array_with_its_nulls(string kind)
    {
        var (column, _, _, values) = Cases[kind];
        using var folder = new TempFolder();
        foreach (var nullable in new[] { true, false })
        {
            var schema = Schema(column with { Nullable = nullable, Type = column.Type with { IsArray = true } });
            object?[][] rows =
            [
                [values], [Array.Empty<object?>()], [new object?[] { null }], [new[] { values[0] }], [new[] { null, values[^1], null }],
            ];
            if (nullable) rows = [[null], .. rows, [null]];
            var file = await WriteAsync(folder, Batch(schema, rows), name: $"{nullable}.parquet");

            AssertSame(rows, DuckDb.Rows(file, schema));
            AssertSame(rows, await ReadAsync(file, schema));
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task every_kind_has_its_type_in_DuckDB_and_in_the_schema(string kind)
    {
        var (column, physical, type, values) = Cases[kind];
        using var folder = new TempFolder();
        var schema = Schema(column, column with { Name = "list", Type = column.Type with { IsArray = true } });
        var file = await WriteAsync(folder, Batch(schema, [[values[0], values]]));

        Assert.Equal([type, type + "[]", "VARCHAR", "INTEGER", "BIGINT"],
            DuckDb.Query(file, "SELECT typeof(v), typeof(list), typeof(_op), typeof(_partition), typeof(_offset) FROM $file").Single());
        Assert.Equal(physical, DuckDb.Scalar(file, "SELECT type FROM parquet_schema($file) WHERE name = 'v'"));
        Assert.Equal("OPTIONAL", DuckDb.Scalar(file, "SELECT repetition_type FROM parquet_schema($file) WHERE name = 'v'"));
    }

    [Fact]
    public void a_column_lies_in_the_file_as_the_type_table_says()
    {
        foreach (var row in TypeTable.Rows)
        {
            var type = ParquetSchema.TypeOf(row.ExampleType);
            Assert.StartsWith(row.ExampleType.IsArray ? "LIST" : type.Physical.ToString(), row.Parquet);
            Assert.Equal(row.Parquet.Contains("DECIMAL"), type.Logical?.DECIMAL is not null);
            Assert.Equal(row.Parquet.Contains("STRING"), type.Logical?.STRING is not null);
            Assert.Equal(row.Parquet.Contains("TIMESTAMP(MICROS"), type.Logical?.TIMESTAMP?.Unit.MICROS is not null);
            Assert.Equal(row.Parquet.Contains("UTC"), type.Logical?.TIMESTAMP?.IsAdjustedToUTC ?? false);
        }
    }

    [Theory]
    [InlineData(19, 9)]
    [InlineData(21, 9)]
    [InlineData(22, 10)]
    [InlineData(38, 16)]
    public void a_long_DECIMAL_takes_the_fewest_bytes(int precision, int bytes) =>
        Assert.Equal(bytes, ParquetSchema.TypeOf(new ColumnType(ColumnKind.Numeric, "numeric", precision, 0)).Length);

    [Fact]
    public void a_table_column_with_the_name_of_a_lake_column_is_refused()
    {
        var schema = Schema(Column("id", ColumnKind.Integer), Column("_offset", ColumnKind.BigInt));
        var error = Assert.Throws<PipelineException>(() => Empty(schema));
        Assert.Equal(FailureAction.Stop, error.Action);
        Assert.Contains("'_offset'", error.Message);
    }

    private static Column Numeric(int precision, int scale) => Column("v", ColumnKind.Numeric, precision: precision, scale: scale);
}
