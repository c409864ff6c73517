using System.Runtime.CompilerServices;
using OrdersStream.Configuration;
using OrdersStream.ParquetFormat;
using OrdersStream.Rows;
using Parquet.Meta;
using static OrdersStream.UnitTests.ParquetFormat.LakeRows;

namespace OrdersStream.UnitTests.ParquetFormat;

/// <summary>The package's way to serialize metadata, which may go with any update, and our own, which stands in for it.</summary>
public sealed class ParquetThriftTests
{
    private static readonly ParquetThrift Own = new CompactThrift();

    /// <summary>All kinds, nullable or not, and as lists.</summary>
    private static readonly TableSchema Everything = Schema(
    [
        .. TypeTable.Rows.SelectMany((row, i) => new Column[]
        {
            new($"required_{i}", row.ExampleType, Nullable: false), new($"nullable_{i}", row.ExampleType, Nullable: true),
            new($"list_{i}", row.ExampleType with { IsArray = true }, Nullable: i % 2 == 0),
        }),
    ]);

    [Theory]
    [InlineData("none")]
    [InlineData("snappy")]
    [InlineData("gzip")]
    [InlineData("zstd")]
    public async Task both_ways_write_the_same_bytes(string compression)
    {
        using var folder = new TempFolder();
        var both = new BothWays();
        await WriteAsync(folder, Batch(Everything, Rows(500), encoder: EncoderOf(() => both, compression)));
        // In three row groups each column has a page every hundred rows, and those that are indexed a page of their values.
        Assert.InRange(both.Headers, 5 * (Everything.Columns.Length + 3) + 1, int.MaxValue);
        Assert.Equal(1, both.Footers);
    }

    [Fact]
    public void both_ways_write_the_same_bytes_of_numbers_of_any_size()
    {
        var both = new BothWays();
        foreach (var size in Enumerable.Range(0, 31).Select(bit => 1 << bit).SelectMany(n => new[] { n - 1, n, -n }))
        {
            var data = new DataPageHeader { NumValues = size, Encoding = Encoding.PLAIN };
            both.Serialize(new PageHeader { UncompressedPageSize = size, CompressedPageSize = int.MaxValue, DataPageHeader = data });
            both.Serialize(new FileMetaData
            {
                NumRows = (long)size << 32 | 1, Schema = [], RowGroups = [], CreatedBy = new string('é', size & 255),
            });
        }
        Assert.Equal(93, both.Footers);
    }

    [Fact]
    public async Task a_file_of_our_own_way_is_read_by_both_readers()
    {
        using var folder = new TempFolder();
        var rows = Rows(500);
        var file = await WriteAsync(folder, Batch(Everything, rows, encoder: EncoderOf(() => new CompactThrift())), "own.parquet");
        AssertSame(rows, DuckDb.Rows(file, Everything));
        AssertSame(rows, await ReadAsync(file, Everything));

        var usual = await WriteAsync(folder, Batch(Everything, rows, encoder: EncoderOf(ParquetThrift.New)));
        Assert.Equal(await File.ReadAllBytesAsync(usual, TestContext.Current.CancellationToken),
            await File.ReadAllBytesAsync(file, TestContext.Current.CancellationToken));
    }

    [Fact]
    public void the_packages_way_is_in_use() => Assert.IsType<PackageThrift>(ParquetThrift.New());

    [Fact]
    public void where_the_package_has_other_members_or_types_our_own_way_is_taken()
    {
        Assert.IsType<CompactThrift>(ParquetThrift.Choose(() => new OtherPackage(header => NoSuchMethod(header)))());
        Assert.IsType<CompactThrift>(ParquetThrift.Choose(() => new OtherPackage(header => NoSuchType(header, header)))());
        Assert.IsType<CompactThrift>(ParquetThrift.Choose(() => new OtherPackage(_ => throw new FileNotFoundException()))());
        Assert.IsType<CompactThrift>(ParquetThrift.Choose(() => new OtherPackage(_ => throw new InvalidOperationException()))());
    }

    [Fact]
    public void where_the_package_writes_other_bytes_our_own_way_is_taken() =>
        Assert.IsType<CompactThrift>(ParquetThrift.Choose(() => new OtherPackage(_ => { }))());

    [Fact]
    public void where_the_package_is_as_it_was_its_way_is_taken() =>
        Assert.IsType<PackageThrift>(ParquetThrift.Choose(() => new PackageThrift())());

    private static DataPageEncoder EncoderOf(Func<ParquetThrift> thrift, string compression = "snappy") =>
        new(new DatalakeOptions { Compression = compression, RowGroupRows = 200 }) { DataPageRows = 100, NewThrift = thrift };

    /// <summary>With nulls, empty lists, values that repeat and others that do not, and one too long for the statistics.</summary>
    private static object?[][] Rows(int count) =>
        [.. Enumerable.Range(0, count).Select(i => Everything.Columns.Select(column => Value(column, i)).ToArray())];

    private static object? Value(Column column, int i)
    {
        if (column.Nullable && i % 5 == 0) return null;
        if (column.Type.IsArray) return Enumerable.Range(0, i % 4).Select(e => e == 2 ? null : Element(column.Type, i + e)).ToArray();
        return Element(column.Type, i);
    }

    private static object Element(ColumnType type, int i) => type.Kind switch
    {
        ColumnKind.Real or ColumnKind.Double => i / 4d,
        ColumnKind.Numeric when DecimalShape.Of(type) is not null => (Int128)(i - 250),
        ColumnKind.Boolean => (long)(i & 1),
        ColumnKind.Text => i % 100 == 99 ? new string('é', 40) : $"text {i % 7}",
        ColumnKind.Json or ColumnKind.Jsonb => $"{{\"a\": {i}}}",
        ColumnKind.Numeric or ColumnKind.Uuid => $"{i}",
        ColumnKind.Bytea => new byte[] { (byte)i, 200 },
        _ => (long)i,
    };

    [UnsafeAccessor(UnsafeAccessorKind.Method)]
    private static extern void NoSuchMethod(PageHeader header);

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "Write")]
    private static extern void NoSuchType(PageHeader header, [UnsafeAccessorType("Parquet.NoSuchType, Parquet")] object writer);

    /// <summary>Serializes both ways, and says where they differ.</summary>
    private sealed class BothWays : ParquetThrift
    {
        private readonly ParquetThrift package = new PackageThrift(), own = new CompactThrift();

        public int Headers { get; private set; }
        public int Footers { get; private set; }

        public override ReadOnlyMemory<byte> Serialize(PageHeader header)
        {
            Headers++;
            return Same(package.Serialize(header), own.Serialize(header));
        }

        public override ReadOnlyMemory<byte> Serialize(FileMetaData footer)
        {
            Footers++;
            return Same(package.Serialize(footer), own.Serialize(footer));
        }

        private static ReadOnlyMemory<byte> Same(ReadOnlyMemory<byte> expected, ReadOnlyMemory<byte> actual)
        {
            Assert.Equal(Convert.ToHexString(expected.Span), Convert.ToHexString(actual.Span));
            return actual;
        }
    }

    /// <summary>A package that looks different.</summary>
    private sealed class OtherPackage(Action<PageHeader> write) : ParquetThrift
    {
        public override ReadOnlyMemory<byte> Serialize(PageHeader header)
        {
            write(header);
            return default;
        }

        public override ReadOnlyMemory<byte> Serialize(FileMetaData footer) => Own.Serialize(footer);
    }
}
