using OrdersStream.Audit;
using OrdersStream.Diagnostics;
using OrdersStream.Lake.Files;
using OrdersStream.Rows;
using static OrdersStream.UnitTests.ParquetFormat.LakeRows;

namespace OrdersStream.UnitTests.Audit;

/// <summary>What a comparison takes for the lake's own, once and twice.</summary>
public sealed class LakeIndexTests : IDisposable
{
    private static readonly TableSchema Orders =
        Schema(Column("id", ColumnKind.BigInt, nullable: false), Column("status", ColumnKind.Text));

    private readonly TempFolder lake = new(), own = new();

    public void Dispose()
    {
        lake.Dispose();
        own.Dispose();
    }

    /// <summary>Its name does not say of which generation its offsets are.</summary>
    [Theory]
    [InlineData("part-3-100-101")]
    [InlineData("part-3g1-100-101")]
    public async Task a_copy_by_a_name_of_its_own_is_stored_twice(string name)
    {
        var file = await WriteAsync(lake, Batch(Orders, [[1L, "a"], [2L, "b"]]), name + ".parquet");
        File.Copy(file, lake[name + "-copy.parquet"]);
        using var index = await BuildAsync("orders");
        Assert.Equal((4, 2), (index.Rows, index.StoredTwice));
    }

    [Fact]
    public async Task offsets_of_another_generation_are_other_records()
    {
        await WriteAsync(lake, Batch(Orders, [[1L, "a"], [2L, "b"]]), "part-3-100-101.parquet");
        await WriteAsync(lake, Batch(Orders, [[3L, "a"], [4L, "b"]]), "part-3g1-100-101.parquet");
        using var index = await BuildAsync("orders");
        Assert.Equal((4, 0), (index.Rows, index.StoredTwice));
    }

    [Fact]
    public async Task a_file_of_another_stream_is_none_of_this_lakes()
    {
        await WriteAsync(lake, Batch(Orders, [[1L, "a"]]), "copy.parquet");
        var failure = await Assert.ThrowsAsync<PipelineException>(() => BuildAsync("others"));
        Assert.Contains("copy.parquet', which this program has not written for topic 'others'", failure.Message);
    }

    /// <summary>
    /// Of three rows that no range had, one was deleted since the lake was read, one also inserted again, and the third is extra.
    /// </summary>
    [Fact]
    public async Task a_row_that_came_again_since_is_on_the_way_and_not_extra()
    {
        await WriteAsync(lake, Batch(Orders, [[1L, "a"], [2L, "a"], [3L, "a"]]), "part-3-100-102.parquet");
        using var index = await BuildAsync("orders");
        Assert.Equal(3, index.NeverFound().Count());

        var later = Empty(Orders);
        later.Append(Row(Orders, 1L, null), 3, 103, "delete", 2);
        later.Append(Row(Orders, 2L, null), 3, 104, "delete", 2);
        later.Append(Row(Orders, 2L, "b"), 3, 105, "upsert", 3);
        await WriteAsync(lake, later, "part-3-103-105.parquet");
        await index.UpdateAsync(TestContext.Current.CancellationToken);

        Assert.Equal(102, Assert.Single(index.NeverFound()).Offset);
        Assert.Equal(1, index.CameSince());
    }

    private async Task<LakeIndex> BuildAsync(string topic)
    {
        var index = new LakeIndex(new LakeFolder(lake.Path), topic, Orders, _ => Orders, own.Path, 100);
        await index.BuildAsync(null, TestContext.Current.CancellationToken);
        return index;
    }
}
