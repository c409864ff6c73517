using OrdersStream.ParquetFormat;

namespace OrdersStream.UnitTests.ParquetFormat;

public sealed class EncodedBlocksTests
{
    private const int LargeBytes = 64 * 1024;

    [Fact]
    public void a_block_that_was_given_back_is_handed_out_again()
    {
        var blocks = new EncodedBlocks();
        var block = blocks.Rent(isFirst: false);
        Assert.Equal(LargeBytes, block.Length);
        blocks.Return(block);
        Assert.Same(block, blocks.Rent(isFirst: false));
        Assert.NotSame(block, blocks.Rent(isFirst: false));
    }

    [Fact]
    public void the_first_block_of_a_column_is_small_and_does_not_take_the_place_of_a_large_one()
    {
        var blocks = new EncodedBlocks();
        var first = blocks.Rent(isFirst: true);
        Assert.True(first.Length < LargeBytes);
        blocks.Return(first);
        Assert.Equal(LargeBytes, blocks.Rent(isFirst: false).Length);
    }

    [Fact]
    public void no_more_than_32_MiB_are_kept()
    {
        const int kept = 32 * 1024 * 1024 / LargeBytes;
        var blocks = new EncodedBlocks();
        var rented = Enumerable.Range(0, kept + 10).Select(_ => blocks.Rent(isFirst: false)).ToHashSet();
        foreach (var block in rented) blocks.Return(block);
        var again = Enumerable.Range(0, kept + 10).Select(_ => blocks.Rent(isFirst: false)).Count(rented.Contains);
        Assert.Equal(kept, again);
    }
}
