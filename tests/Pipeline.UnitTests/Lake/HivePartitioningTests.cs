using OrdersStream.Diagnostics;
using OrdersStream.Lake;
using OrdersStream.Rows;
using OrdersStream.UnitTests.ParquetFormat;

namespace OrdersStream.UnitTests.Lake;

public sealed class HivePartitioningTests
{
    private static readonly TableSchema Table = LakeRows.Schema(
        LakeRows.Column("updated_at", ColumnKind.TimestampTz),
        LakeRows.Column("created_at", ColumnKind.TimestampTz),
        LakeRows.Column("status", ColumnKind.Text),
        LakeRows.Column("number", ColumnKind.BigInt),
        LakeRows.Column("is_paid", ColumnKind.Boolean),
        LakeRows.Column("day", ColumnKind.Date),
        LakeRows.Column("amount", ColumnKind.Numeric, precision: 10, scale: 2),
        LakeRows.Column("tags", ColumnKind.Text, isArray: true));

    private const long Day = 86_400_000_000;

    [Theory]
    [InlineData(0L, "by_order_date=1970-01-01")]
    [InlineData(-1L, "by_order_date=1969-12-31")]
    [InlineData(Day - 1, "by_order_date=1970-01-01")]
    [InlineData(Day, "by_order_date=1970-01-02")]
    [InlineData(1_772_236_800_000_000L, "by_order_date=2026-02-28")]
    [InlineData(null, "by_order_date=null")]
    [InlineData(long.MaxValue, "by_order_date=null")]
    [InlineData(-long.MaxValue, "by_order_date=null")]
    public void order_date_is_the_utc_date_of_created_at(object? createdAt, string expected) =>
        Assert.Equal(expected, FolderOf("order_date", 5 * Day, createdAt));

    [Fact]
    public void without_created_at_order_date_is_that_of_the_timestamp_column()
    {
        var table = LakeRows.Schema(LakeRows.Column("updated_at", ColumnKind.TimestampTz));
        var partitioner = HivePartitioning.For(table, "order_date", new FolderName("by_order_date"));
        Assert.Equal("by_order_date=1970-01-03", partitioner.FolderOf(LakeRows.Row(table, 2 * Day)));
    }

    [Fact]
    public void a_column_of_that_name_is_taken_itself()
    {
        var table = LakeRows.Schema(
            LakeRows.Column("updated_at", ColumnKind.TimestampTz),
            LakeRows.Column("created_at", ColumnKind.TimestampTz),
            LakeRows.Column("order_date", ColumnKind.Date));
        var partitioner = HivePartitioning.For(table, "order_date", new FolderName("by_order_date"));
        Assert.Equal("by_order_date=1970-01-10", partitioner.FolderOf(LakeRows.Row(table, 0L, 0L, 9L)));
    }

    [Fact]
    public void a_column_of_the_table_makes_folders_of_its_values()
    {
        object?[] row = [0L, 0L, "OUT FOR/DELIVERY", -7L, 1L, -1L];
        Assert.Equal("by_status=OUT%20FOR%2FDELIVERY", FolderOf("status", row));
        Assert.Equal("by_number=-7", FolderOf("number", row));
        Assert.Equal("by_is_paid=true", FolderOf("is_paid", row));
        Assert.Equal("by_day=1969-12-31", FolderOf("day", row));
        Assert.Equal("", FolderOf("none", row));
        Assert.Equal("by_status=null", FolderOf("status", 0L, 0L, null));
        Assert.Equal("by_is_paid=null", FolderOf("is_paid", 0L, 0L, null, null, null));
    }

    [Fact]
    public void the_same_value_gives_the_same_string()
    {
        var partitioner = HivePartitioning.For(Table, "status", new FolderName("by_status"));
        var folders = new[] { "a", "b", "a", "a", "b" }.Select(s => partitioner.FolderOf(LakeRows.Row(Table, 0L, 0L, s))).ToList();
        Assert.Equal(["by_status=a", "by_status=b", "by_status=a", "by_status=a", "by_status=b"], folders);
        Assert.Same(folders[0], folders[3]);
        Assert.Same(folders[1], folders[4]);
    }

    [Fact]
    public void a_row_costs_no_object()
    {
        foreach (var by in new[] { "order_date", "status" })
        {
            var partitioner = HivePartitioning.For(Table, by, new FolderName($"by_{by}"));
            DecodedRow[] rows = [LakeRows.Row(Table, 0L, 0L, "a"), LakeRows.Row(Table, 0L, Day, "b")];
            foreach (var row in rows) partitioner.FolderOf(row);
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < 1_000; i++) partitioner.FolderOf(rows[i % 2]);
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1_000);
        }
    }

    [Fact]
    public void a_column_of_that_name_that_has_no_day_does_not_count()
    {
        var table = LakeRows.Schema(
            LakeRows.Column("updated_at", ColumnKind.TimestampTz),
            LakeRows.Column("order_date", ColumnKind.Numeric, precision: 10, scale: 2));
        var partitioner = HivePartitioning.For(table, "order_date", new FolderName("by_order_date"));
        Assert.Equal("by_order_date=1970-01-02", partitioner.FolderOf(LakeRows.Row(table, Day, (Int128)5)));
    }

    /// <summary>Readers would show the folder's value in its place, whatever capitals it has.</summary>
    [Theory]
    [InlineData("status", "status")]
    [InlineData("order_date", "NUMBER")]
    [InlineData("number", "Is_Paid")]
    public void a_column_that_the_folders_are_named_like_is_refused_by_name(string partitionBy, string folderName)
    {
        var e = Assert.Throws<PipelineException>(() => HivePartitioning.For(Table, partitionBy, new FolderName(folderName)));
        Assert.Equal(FailureAction.Stop, e.Action);
        Assert.Contains($"a column {folderName.ToLowerInvariant()}, and folders of the lake are named {folderName}=", e.Problem);
        Assert.Contains("datalake.folder_name", e.Remedy);
        HivePartitioning.For(Table, partitionBy, new FolderName(folderName, MayShadow: true));
    }

    [Theory]
    [InlineData("date", "datalake.partition_by: order_date and datalake.folder_name: date.")]
    [InlineData("Date", "datalake.partition_by: order_date and datalake.folder_name: date.")]
    [InlineData("STATUS", "There is status: capitals and small letters count.")]
    [InlineData("Order_Date", "There is order_date: capitals and small letters count.")]
    [InlineData("statsu", "Did you mean status?")]
    [InlineData("order_dat", "Did you mean order_date?")]
    public void the_column_that_may_be_meant_is_named(string partitionBy, string hint)
    {
        var e = Assert.Throws<PipelineException>(() => HivePartitioning.For(Table, partitionBy, new FolderName($"by_{partitionBy}")));
        Assert.Contains(hint, e.Remedy);
    }

    [Theory]
    [InlineData("no_such")]
    [InlineData("amount")]
    [InlineData("tags")]
    public void what_makes_no_folders_is_refused_by_name(string column)
    {
        var e = Assert.Throws<PipelineException>(() => HivePartitioning.For(Table, column, new FolderName($"by_{column}")));
        Assert.Equal(FailureAction.Stop, e.Action);
        Assert.Contains($"'{column}'", e.Problem);
    }

    private static string FolderOf(string partitionBy, params object?[] values)
    {
        var row = LakeRows.Row(Table, values);
        for (var i = values.Length; i < row.Cells.Length; i++) row.Cells[i].IsNull = true;
        return HivePartitioning.For(Table, partitionBy, new FolderName($"by_{partitionBy}")).FolderOf(row);
    }
}
