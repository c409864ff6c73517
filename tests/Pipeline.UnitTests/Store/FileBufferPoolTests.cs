using OrdersStream.Configuration;
using OrdersStream.ParquetFormat;
using OrdersStream.Rows;
using OrdersStream.Store;
using OrdersStream.UnitTests.ParquetFormat;

namespace OrdersStream.UnitTests.Store;

[Collection(nameof(HeldMemoryTests))]
public sealed class FileBufferPoolTests
{
    private const int MiB = 1024 * 1024, Columns = 60;

    private static readonly TableSchema Schema = SchemaOf("text");

    private readonly DataPageEncoder encoder = new(new DatalakeOptions());

    [Theory]
    [InlineData(1)]
    [InlineData(10)]
    [InlineData(100)]
    public void what_files_hold_is_what_is_counted(int rows)
    {
        const int files = 200;
        var pool = new FileBufferPool(encoder, 1024 * MiB);
        Fill(pool.Rent(Schema, "other"), 1);
        var (before, counted) = (GC.GetTotalMemory(forceFullCollection: true), pool.OpenBytes);
        var allocated = GC.GetAllocatedBytesForCurrentThread();
        var rented = Enumerable.Range(0, files).Select(i => pool.Rent(Schema, $"folder {i}")).ToList();
        foreach (var file in rented) Fill(file, rows);
        counted = pool.OpenBytes - counted;
        var held = GC.GetTotalMemory(forceFullCollection: true) - before;
        // What others gave up meanwhile makes the heap smaller than it would be, never larger.
        Assert.InRange(counted, held * 0.9, GC.GetAllocatedBytesForCurrentThread() - allocated);
        GC.KeepAlive(rented);
    }

    [Fact]
    public void no_more_is_kept_than_may_be_and_what_is_idle_does_not_count()
    {
        var pool = new FileBufferPool(encoder, 2 * MiB);
        var rented = Enumerable.Range(0, 100).Select(i => pool.Rent(Schema, $"folder {i}")).ToHashSet();
        foreach (var file in rented) Fill(file, 20);
        Assert.True(pool.OpenBytes > 4 * MiB, $"{pool.OpenBytes:N0}");
        foreach (var file in rented) pool.Return(file);
        Assert.Equal(0, pool.OpenBytes);
        Assert.InRange(encoder.Held.Bytes, 1 * MiB, 2 * MiB);

        var again = Enumerable.Range(0, 100).Select(i => pool.Rent(Schema, $"folder {i}")).Count(rented.Contains);
        Assert.InRange(again, 10, 50);
        Assert.Equal(encoder.Held.Bytes, pool.OpenBytes);
    }

    [Fact]
    public void arrays_of_a_large_file_are_kept_for_the_next_but_not_many_that_were_hardly_used()
    {
        var pool = new FileBufferPool(encoder, 8 * MiB);
        var large = pool.Rent(Schema, "large");
        Fill(large, 2_000);
        pool.Return(large);
        Assert.Same(large, pool.Rent(Schema, "small"));
        Fill(large, 1);
        pool.Return(large);
        Assert.NotSame(large, pool.Rent(Schema, "small"));
    }

    [Fact]
    public void idle_files_of_a_schema_give_way_to_those_of_the_next()
    {
        var pool = new FileBufferPool(encoder, 8 * MiB);
        pool.Return(pool.Rent(Schema, ""));
        var held = encoder.Held.Bytes;
        pool.Rent(SchemaOf("changed"), "");
        Assert.Equal(held, encoder.Held.Bytes);
    }

    [Fact]
    public void an_encoded_file_that_is_given_back_leaves_nothing_that_counts()
    {
        var pool = new FileBufferPool(encoder, 64 * MiB);
        var file = pool.Rent(Schema, "");
        Fill(file, 1_000);
        file.Columns.Finish();
        var encoded = encoder.Held.Bytes;
        file.Columns.DropEncoded();
        Assert.InRange(encoder.Held.Bytes, 1, encoded - 1);
        pool.Return(file);
        Assert.Equal(0, pool.OpenBytes);
    }

    private static TableSchema SchemaOf(string name) =>
        LakeRows.Schema([.. Enumerable.Range(0, Columns).Select(i => LakeRows.Column($"{name}_{i}", ColumnKind.Text))]);

    private static void Fill(FileBuffer file, int rows) =>
        LakeRows.Fill(file.Columns, Enumerable.Range(0, rows).Select(
            r => Enumerable.Range(0, Columns).Select(i => (object?)$"text {i} of row {r}").ToArray()));
}
