using OrdersStream.Lake;
using OrdersStream.Lake.Files;
using OrdersStream.ParquetFormat;
using OrdersStream.Rows;
using OrdersStream.UnitTests.ParquetFormat;
using Parquet;
using static OrdersStream.UnitTests.ParquetFormat.LakeRows;

namespace OrdersStream.UnitTests.Lake;

public sealed class LakeReaderTests
{
    private static readonly TableSchema Orders =
        Schema(Column("id", ColumnKind.BigInt, nullable: false), Column("status", ColumnKind.Text));

    /// <summary>Paths from the root of the file system are paths of it, too.</summary>
    private static readonly LakeFolder Place = new("/");

    [Fact]
    public void the_lakes_files_are_those_in_visible_folders()
    {
        using var lake = new TempFolder();
        string[] names =
        [
            "b.parquet", "a.parquet", "_a.parquet", ".tmp.parquet", "a.txt",
            "order_date=2026-02-28/x.parquet", "order_date=2026-01-01/y.parquet",
            "_quarantine/q.parquet", ".staging/s.parquet", "d/_x/z.parquet",
        ];
        foreach (var name in names)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(lake[name])!);
            File.WriteAllText(lake[name], "");
        }
        Assert.Equal(["a.parquet", "b.parquet", "order_date=2026-01-01/y.parquet", "order_date=2026-02-28/x.parquet"],
            LakeReader.Files(new LakeFolder(lake.Path)));
    }

    [Fact]
    public void a_lake_that_is_not_there_has_no_files() => Assert.Empty(LakeReader.Files(new LakeFolder("/nowhere/at/all")));

    [Fact]
    public async Task rows_come_with_their_operation_partition_and_offset()
    {
        using var folder = new TempFolder();
        var batch = Empty(Orders);
        batch.Append(Row(Orders, 1L, "PLACED"), 3, 100, "upsert", 1);
        batch.Append(Row(Orders, 2L, null), 3, 205, "delete", 1);
        batch.Append(Row(Orders, 3L, null), 3, 206, "größer", 7);
        var file = await WriteAsync(folder, batch);

        var seen = new List<(string, int, long)>();
        await foreach (var row in new LakeReader(Place, _ => Orders).ReadAsync(file, TestContext.Current.CancellationToken))
            seen.Add((row.Op, row.Partition, row.Offset));
        Assert.Equal([("upsert", 3, 100L), ("delete", 3, 205L), ("größer", 3, 206L)], seen);
    }

    [Fact]
    public async Task the_footer_is_read_alone()
    {
        using var folder = new TempFolder();
        var batch = Batch(Orders, [[1L, "a"], [2L, "b"]]);
        var file = await WriteAsync(folder, batch);
        Assert.Equal(Footer(batch), await LakeReader.ReadFooterAsync(Place, file, TestContext.Current.CancellationToken));
    }

    /// <summary>The package takes what lies behind the end for 255, again and again.</summary>
    [Theory, InlineData(-1), InlineData(0), InlineData(1_000_000)]
    public async Task a_page_that_begins_at_the_files_end_is_refused(int behindEnd)
    {
        using var folder = new TempFolder();
        var file = await WriteAsync(folder, Batch(Orders, [[1L, "a"]]));
        await using (var whole = File.OpenRead(file))
        await using (var reader = await ParquetReader.CreateAsync(whole, cancellationToken: TestContext.Current.CancellationToken))
        {
            var bytes = await File.ReadAllBytesAsync(file, TestContext.Current.CancellationToken);
            var column = reader.Metadata!.RowGroups[0].Columns[0].MetaData!;
            column.DictionaryPageOffset = null;
            await using var changed = new FileStream(file + ".changed", FileMode.CreateNew);
            var rest = bytes.AsMemory(0, bytes.Length - 8 - BitConverter.ToInt32(bytes.AsSpan(bytes.Length - 8)));
            column.DataPageOffset = bytes.Length + behindEnd;
            var footer = new CompactThrift().Serialize(reader.Metadata);
            await changed.WriteAsync(rest, TestContext.Current.CancellationToken);
            await changed.WriteAsync(footer, TestContext.Current.CancellationToken);
            await changed.WriteAsync(BitConverter.GetBytes(footer.Length), TestContext.Current.CancellationToken);
            await changed.WriteAsync("PAR1"u8.ToArray(), TestContext.Current.CancellationToken);
        }
        var error = await Assert.ThrowsAsync<FormatException>(() => ReadAsync(file + ".changed", Orders));
        Assert.Contains("rows.parquet.changed", error.Message);
    }

    [Fact]
    public async Task a_schema_that_is_not_the_files_is_refused_by_the_column()
    {
        using var folder = new TempFolder();
        var file = await WriteAsync(folder, Batch(Orders, [[1L, "a"]]));
        var other = Schema(Column("id", ColumnKind.BigInt, nullable: false), Column("status", ColumnKind.Integer));
        var error = await Assert.ThrowsAsync<FormatException>(() => ReadAsync(file, other));
        Assert.Contains(other.Fingerprint, error.Message);
    }

    [Fact]
    public async Task a_file_whose_columns_are_not_its_schemas_is_refused()
    {
        using var folder = new TempFolder();
        var other = Schema(Column("id", ColumnKind.BigInt, nullable: false), Column("status", ColumnKind.Integer));
        var batch = Batch(Orders, [[1L, "a"]]);
        batch.Finish();
        var footer = (Footer(batch) with { SchemaFingerprint = other.Fingerprint }).ToMetadata();
        await using (var file = new FileStream(folder["lie.parquet"], FileMode.CreateNew))
            await ParquetFileWriter.WriteAsync(file, batch, footer, TestContext.Current.CancellationToken);
        var error = await Assert.ThrowsAsync<FormatException>(() => ReadAsync(folder["lie.parquet"], other));
        Assert.Contains("'status' OPTIONAL INT32", error.Message);
        Assert.Contains("'status' OPTIONAL BYTE_ARRAY STRING", error.Message);
    }

    [Theory]
    [InlineData("rows")]
    [InlineData("first_offset")]
    [InlineData("last_offset")]
    [InlineData("partition")]
    public async Task a_file_that_is_not_what_its_footer_says_is_refused(string key)
    {
        using var folder = new TempFolder();
        var batch = Empty(Orders);
        batch.Append(Row(Orders, 1L, "a"), 3, 100, "upsert", 1);
        batch.Append(Row(Orders, 2L, "b"), 3, 200, "upsert", 1);
        var footer = Footer(batch).ToMetadata().ToDictionary();
        footer["orders_stream." + key] = key switch { "rows" => "3", "first_offset" => "101", "last_offset" => "250", _ => "4" };
        batch.Finish();
        await using (var file = new FileStream(folder["lie.parquet"], FileMode.CreateNew))
            await ParquetFileWriter.WriteAsync(file, batch, footer, TestContext.Current.CancellationToken);
        var error = await Assert.ThrowsAsync<FormatException>(() => ReadAsync(folder["lie.parquet"], Orders));
        Assert.Contains("footer says", error.Message);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    [InlineData(100)]
    public async Task a_torn_file_is_refused(int bytes)
    {
        using var folder = new TempFolder();
        var file = await WriteAsync(folder, Batch(Orders, ParquetFileWriterTests.OrderRows(100).Select(r => r[..2])));
        await using (var stream = new FileStream(file, FileMode.Open)) stream.SetLength(bytes);
        var error = await Assert.ThrowsAsync<FormatException>(
            () => LakeReader.ReadFooterAsync(Place, file, TestContext.Current.CancellationToken));
        Assert.Contains(file, error.Message);
    }

    [Fact]
    public async Task a_file_of_another_program_is_refused()
    {
        using var folder = new TempFolder();
        DuckDb.Query(folder["other.parquet"], "COPY (SELECT 1 AS id) TO $file (FORMAT parquet)");
        var error = await Assert.ThrowsAsync<FormatException>(
            () => LakeReader.ReadFooterAsync(Place, folder["other.parquet"], TestContext.Current.CancellationToken));
        Assert.Contains("orders_stream.format_version", error.Message);
    }
}
