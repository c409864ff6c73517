using OrdersStream.Rows;
using static OrdersStream.UnitTests.ParquetFormat.LakeRows;

namespace OrdersStream.UnitTests.ParquetFormat;

public sealed class ColumnBatchTests
{
    private static readonly TableSchema Simple = Schema(Column("id", ColumnKind.BigInt, nullable: false), Column("note", ColumnKind.Text));

    [Fact]
    public void rows_and_offsets_are_counted_and_cleared()
    {
        var batch = Batch(Simple, [[1L, "a"], [2L, null], [3L, ""]], firstOffset: 7);
        Assert.Equal((3, 7L, 9L), (batch.Rows, batch.FirstOffset, batch.LastOffset));
        batch.Clear();
        Assert.Equal((0, -1L, -1L, 0L), (batch.Rows, batch.FirstOffset, batch.LastOffset, batch.Bytes));
        Fill(batch, [[1L, "a"]], firstOffset: 2);
        Assert.Equal((1, 2L, 2L), (batch.Rows, batch.FirstOffset, batch.LastOffset));
    }

    [Theory]
    [InlineData(7)]
    [InlineData(6)]
    public void an_offset_that_does_not_ascend_is_refused(long offset)
    {
        var batch = Batch(Simple, [[1L, "a"]], firstOffset: 7);
        var error = Assert.Throws<InvalidOperationException>(() => batch.Append(Row(Simple, 2L, "b"), 3, offset, "upsert", 1));
        Assert.Contains($"Offset {offset}", error.Message);
        Assert.Equal(1, batch.Rows);
    }

    [Fact]
    public void a_row_of_another_partition_is_refused()
    {
        var batch = Batch(Simple, [[1L, "a"]]);
        Assert.Throws<InvalidOperationException>(() => batch.Append(Row(Simple, 2L, "b"), 4, 1_000, "upsert", 1));
    }

    [Fact]
    public void a_row_of_another_schema_is_refused_and_one_of_an_equal_schema_is_not()
    {
        var batch = Batch(Simple, [[1L, "a"]]);
        var equal = TableSchema.FromJson(Simple.ToJson());
        batch.Append(Row(equal, 2L, "b"), 3, 1_000, "upsert", 1);
        Assert.Equal(2, batch.Rows);
        var other = Schema(Column("id", ColumnKind.BigInt), Column("note", ColumnKind.Text));
        Assert.Throws<InvalidOperationException>(() => batch.Append(Row(other, 3L, "c"), 3, 1_001, "upsert", 1));
    }

    [Fact]
    public void a_null_in_a_column_that_has_none_is_refused_by_the_columns_name()
    {
        var error = Assert.Throws<InvalidOperationException>(() => Batch(Simple, [[null, "secret"]]));
        Assert.Contains("'id'", error.Message);
        Assert.DoesNotContain("secret", error.Message);
    }

    [Fact]
    public void bytes_grow_with_what_is_held()
    {
        var batch = Batch(Simple, [[1L, new string('x', 1_000_000)]]);
        Assert.InRange(batch.Bytes, 1_000_000, 1_000_100);
        Fill(batch, [[2L, null]], firstOffset: 500);
        Assert.InRange(batch.Bytes, 1_000_020, 1_000_200);
    }

    [Fact]
    public void a_batch_holds_the_values_of_one_page_only_and_not_for_good()
    {
        var batch = Empty(Simple);
        var row = Row(Simple, 1L, new string('x', 1_000_000));
        long AllocatedByALargeBatch()
        {
            batch.Clear();
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var offset = 0; offset < 100; offset++) batch.Append(row, 3, offset, "upsert", 1);
            batch.Finish();
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }
        // A page is of 5 rows, in arrays that grow to it, and beside it what its compression takes.
        Assert.InRange(AllocatedByALargeBatch(), 5_000_000, 60_000_000);
        Assert.InRange(AllocatedByALargeBatch(), 0, 1_000_000);
        batch.Clear();
        Fill(batch, [[1L, "small"]]);
        Assert.InRange(AllocatedByALargeBatch(), 5_000_000, 60_000_000);
    }

    [Fact]
    public void appending_to_warm_arrays_makes_no_objects()
    {
        var batch = Empty(Schema(
            Column("id", ColumnKind.BigInt, nullable: false), Column("note", ColumnKind.Text),
            Column("price", ColumnKind.Numeric, precision: 38, scale: 2), Column("tags", ColumnKind.Text, isArray: true)));
        var row = Row(batch.Schema, 1L, "a note", (Int128)12345, new object?[] { "x", null });
        void AppendAll()
        {
            // Less than a page: to end one makes a few objects.
            for (var offset = 0; offset < 5_000; offset++) batch.Append(row, 3, offset, "upsert", 1);
        }
        AppendAll();
        batch.Clear();
        var before = GC.GetAllocatedBytesForCurrentThread();
        AppendAll();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }
}
