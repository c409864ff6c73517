using System.Globalization;
using OrdersStream.ParquetFormat;
using OrdersStream.Rows;
using static OrdersStream.UnitTests.ParquetFormat.LakeRows;

namespace OrdersStream.UnitTests.ParquetFormat;

public sealed class ParquetFileWriterTests
{
    private static readonly TableSchema Orders = Schema(
        Column("id", ColumnKind.BigInt, nullable: false), Column("status", ColumnKind.Text),
        Column("tags", ColumnKind.Integer, isArray: true));

    [Theory]
    [InlineData("none", "fastest")]
    [InlineData("snappy", "fastest")]
    [InlineData("gzip", "fastest")]
    [InlineData("gzip", "smallest")]
    [InlineData("zstd", "fastest")]
    [InlineData("zstd", "optimal")]
    [InlineData("zstd", "smallest")]
    public async Task every_codec_is_read_back(string compression, string level)
    {
        using var folder = new TempFolder();
        var rows = OrderRows(5_000);
        var file = await WriteAsync(folder,
            Batch(Orders, rows, encoder: new(new() { Compression = compression, CompressionLevel = level })));

        AssertSame(rows, DuckDb.Rows(file, Orders));
        AssertSame(rows, await ReadAsync(file, Orders));
        var codec = compression == "none" ? "UNCOMPRESSED" : compression.ToUpperInvariant();
        Assert.Equal(codec, DuckDb.Scalar(file, "SELECT DISTINCT compression FROM parquet_metadata($file)"));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(7, 2)]
    [InlineData(1_000, 1_000)]
    [InlineData(1_001, 100)]
    [InlineData(999, 100)]
    public async Task a_batch_is_cut_into_row_groups_of_at_most_row_group_rows(int rowCount, int rowGroupRows)
    {
        using var folder = new TempFolder();
        var rows = OrderRows(rowCount);
        var file = await WriteAsync(folder, Batch(Orders, rows, encoder: new(new() { RowGroupRows = rowGroupRows })));

        AssertSame(rows, DuckDb.Rows(file, Orders));
        AssertSame(rows, await ReadAsync(file, Orders));
        Assert.Equal((long)((rowCount + rowGroupRows - 1) / rowGroupRows),
            DuckDb.Scalar(file, "SELECT num_row_groups FROM parquet_file_metadata($file)"));
    }

    [Theory]
    [InlineData(1, int.MaxValue)]
    [InlineData(700, int.MaxValue)]
    [InlineData(int.MaxValue, 100_000)]
    public async Task a_column_of_many_pages_is_read_back(int pageRows, int pageBytes)
    {
        using var folder = new TempFolder();
        var schema = Schema(
            Column("id", ColumnKind.BigInt, nullable: false), Column("unique", ColumnKind.Text), Column("few", ColumnKind.Text),
            Column("maybe", ColumnKind.Double), Column("list", ColumnKind.Text, isArray: true),
            Column("flag", ColumnKind.Boolean, nullable: false));
        var rows = Enumerable.Range(0, 10_000).Select(i => new object?[]
        {
            (long)i, i % 3 == 0 ? null : $"unique {i}", i % 5 == 0 ? null : $"few {i % 4_000 / 40}", i % 7 == 0 ? null : i / 4.0,
            i % 4 == 0 ? null : Enumerable.Range(0, i % 4).Select(e => e == 2 ? null : $"element {i} {e}").ToArray(), (long)(i / 3 % 2),
        }).ToArray();
        DataPageEncoder encoder = new(new()) { DataPageRows = pageRows, DataPageBytes = pageBytes };
        var file = await WriteAsync(folder, Batch(schema, rows, encoder: encoder));

        AssertSame(rows, DuckDb.Rows(file, schema));
        AssertSame(rows, await ReadAsync(file, schema));
    }

    [Fact]
    public async Task a_column_whose_values_cease_to_repeat_is_indexed_up_to_there()
    {
        using var folder = new TempFolder();
        var schema = Schema(Column("id", ColumnKind.BigInt, nullable: false), Column("text", ColumnKind.Text));
        static string? TextOf(int i) => i % 9 == 0 ? null : i is < 1_000 or >= 2_000 ? $"few {i % 3}" : $"unique {3_000 - i}";
        var rows = Enumerable.Range(0, 3_000).Select(i => new object?[] { (long)i, TextOf(i) }).ToArray();
        var file = await WriteAsync(folder, Batch(schema, rows, encoder: new(new() { RowGroupRows = 2_500 }) { DataPageRows = 500 }));

        AssertSame(rows, DuckDb.Rows(file, schema));
        AssertSame(rows, await ReadAsync(file, schema));
        Assert.Equal(
            [["few 0", "unique 2000", 223L + 55], ["few 0", "few 2", 56L]],
            DuckDb.Query(file,
                "SELECT stats_min_value, stats_max_value, stats_null_count FROM parquet_metadata($file) "
                + "WHERE path_in_schema = 'text' ORDER BY row_group_id"));
    }

    [Fact]
    public async Task a_row_group_holds_about_64_MB_at_most()
    {
        using var folder = new TempFolder();
        var schema = Schema(Column("text", ColumnKind.Text));
        var batch = Empty(schema);
        var row = Row(schema, new string('x', 1_000_000));
        for (var offset = 0; offset < 100; offset++) batch.Append(row, 3, offset, "upsert", 1);
        var file = await WriteAsync(folder, batch);
        Assert.Equal([2L, 100L], DuckDb.Query(file, "SELECT num_row_groups, num_rows FROM parquet_file_metadata($file)").Single());
        Assert.Equal(100L, DuckDb.Scalar(file, "SELECT count(*) FROM $file WHERE length(text) = 1000000"));
    }

    [Fact]
    public async Task text_of_a_megabyte_is_read_back()
    {
        using var folder = new TempFolder();
        var schema = Schema(Column("id", ColumnKind.BigInt, nullable: false), Column("text", ColumnKind.Text),
            Column("list", ColumnKind.Text, isArray: true));
        var megabyte = string.Concat(Enumerable.Range(0, 150_000).Select(i => i.ToString("x7", CultureInfo.InvariantCulture)));
        var rows = Enumerable.Range(0, 6)
            .Select(i => new object?[] { (long)i, i + megabyte, i == 3 ? new object?[] { megabyte, null, megabyte } : null }).ToArray();
        var batch = Batch(schema, rows);
        var file = await WriteAsync(folder, batch);

        AssertSame(rows, DuckDb.Rows(file, schema));
        AssertSame(rows, await ReadAsync(file, schema));
    }

    [Fact]
    public async Task a_reused_batch_gives_files_of_their_own()
    {
        using var folder = new TempFolder();
        var batch = Empty(Orders, new(new() { RowGroupRows = 300 }));
        object?[][][] contents = [OrderRows(1_000), OrderRows(3), [[9L, null, null]], OrderRows(700)];
        for (var i = 0; i < contents.Length; i++)
        {
            batch.Clear();
            Fill(batch, contents[i]);
            await using var file = new FileStream(folder[$"{i}.parquet"], FileMode.CreateNew);
            batch.Finish();
            await ParquetFileWriter.WriteAsync(file, batch, Footer(batch).ToMetadata(), TestContext.Current.CancellationToken);
        }
        for (var i = 0; i < contents.Length; i++)
        {
            AssertSame(contents[i], DuckDb.Rows(folder[$"{i}.parquet"], Orders));
            AssertSame(contents[i], await ReadAsync(folder[$"{i}.parquet"], Orders));
        }
    }

    [Fact]
    public async Task several_files_are_written_at_once()
    {
        using var folder = new TempFolder();
        DataPageEncoder encoder = new(new()) { DataPageRows = 50 };
        object?[][][] contents = [OrderRows(3_000), OrderRows(2_000), OrderRows(2_500)];
        var batches = contents.Select(rows => Batch(Orders, rows, encoder: encoder)).ToList();
        foreach (var batch in batches) batch.Finish();
        await Task.WhenAll(batches.Select((batch, i) => Task.Run(async () =>
        {
            await using var file = new FileStream(folder[$"{i}.parquet"], FileMode.CreateNew);
            await ParquetFileWriter.WriteAsync(file, batch, Footer(batch).ToMetadata(), CancellationToken.None);
        }, TestContext.Current.CancellationToken)));
        for (var i = 0; i < contents.Length; i++) AssertSame(contents[i], DuckDb.Rows(folder[$"{i}.parquet"], Orders));
    }

    [Fact]
    public async Task one_batch_written_twice_gives_the_same_bytes()
    {
        using var folder = new TempFolder();
        var batch = Batch(Orders, OrderRows(2_000));
        var first = await WriteAsync(folder, batch, name: "1.parquet");
        var second = await WriteAsync(folder, batch, name: "2.parquet");
        Assert.Equal(await File.ReadAllBytesAsync(first, TestContext.Current.CancellationToken),
            await File.ReadAllBytesAsync(second, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task a_file_without_rows_is_refused()
    {
        using var folder = new TempFolder();
        await Assert.ThrowsAsync<InvalidOperationException>(() => WriteAsync(folder, Empty(Orders)));
        Assert.Equal(0, new FileInfo(folder["rows.parquet"]).Length);
    }

    [Fact]
    public async Task the_lakes_own_columns_follow_the_tables()
    {
        using var folder = new TempFolder();
        var batch = Empty(Orders);
        batch.Append(Row(Orders, 1L, "PLACED", null), 12, 100, "upsert", 1);
        batch.Append(Row(Orders, 2L, "PLACED", null), 12, 205, "delete", 1);
        batch.Append(Row(Orders, 3L, "PLACED", null), 12, 206, "upsert", 1);
        var file = await WriteAsync(folder, batch);

        Assert.Equal(["id", "status", "tags", "_op", "_partition", "_offset", "_version"],
            DuckDb.Query(file, "DESCRIBE SELECT * FROM $file").Select(r => r[0]));
        Assert.Equal([["upsert", 12, 100L], ["delete", 12, 205L], ["upsert", 12, 206L]],
            DuckDb.Query(file, "SELECT _op, _partition, _offset FROM $file"));
    }

    [Fact]
    public async Task the_footers_pairs_stand_in_the_file()
    {
        using var folder = new TempFolder();
        var batch = Batch(Orders, OrderRows(2));
        var file = await WriteAsync(folder, batch);
        var pairs = DuckDb.Query(file, "SELECT decode(key), decode(value) FROM parquet_kv_metadata($file)")
            .ToDictionary(r => (string)r[0]!, r => (string)r[1]!);
        Assert.Equal(Footer(batch).ToMetadata(), pairs);
    }

    [Fact]
    public async Task values_that_repeat_are_stored_once_and_indexed()
    {
        using var folder = new TempFolder();
        var file = await WriteAsync(folder, Batch(Orders, OrderRows(20_000)));
        Assert.Contains("RLE_DICTIONARY",
            (string)DuckDb.Scalar(file, "SELECT encodings FROM parquet_metadata($file) WHERE path_in_schema = 'status'")!);
        const string SizeQuery = "SELECT total_compressed_size FROM parquet_metadata($file) WHERE path_in_schema = 'status'";
        Assert.InRange((long)DuckDb.Scalar(file, SizeQuery)!, 1, 10_000);
    }

    internal static object?[][] OrderRows(int count)
    {
        string[] statuses = ["PLACED", "PREPARING", "OUT_FOR_DELIVERY", "DELIVERED", "CANCELLED"];
        return [.. Enumerable.Range(0, count).Select(i => new object?[]
        {
            (long)i, i % 11 == 0 ? null : statuses[i * 7 % 5],
            i % 3 == 0 ? null : Enumerable.Range(0, i % 4).Select(e => e == 2 ? null : (object?)(long)(i + e)).ToArray(),
        })];
    }
}
