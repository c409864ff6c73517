using OrdersStream.Memory;

namespace OrdersStream.UnitTests.Memory;

public sealed class BlockPoolTests
{
    private const int SmallBytes = 1024, LargeBytes = 64 * 1024, IdleBytesMax = 4 * 1024 * 1024;

    private readonly HeldMemory held = new();
    private readonly BlockPool blocks;

    public BlockPoolTests() => blocks = new BlockPool(held, IdleBytesMax);

    [Fact]
    public void a_block_that_was_given_back_is_handed_out_again()
    {
        var block = blocks.Rent(LargeBytes);
        Assert.Equal(LargeBytes, block.Length);
        blocks.Return(block);
        Assert.Same(block, blocks.Rent(LargeBytes));
        Assert.NotSame(block, blocks.Rent(LargeBytes));
    }

    [Theory]
    [InlineData(0, SmallBytes)]
    [InlineData(SmallBytes, SmallBytes)]
    [InlineData(5_000, 8 * 1024)]
    [InlineData(LargeBytes * 10L, LargeBytes)]
    public void a_block_is_about_as_large_as_what_is_there_already(long behind, int bytes) =>
        Assert.Equal(bytes, blocks.Rent(behind).Length);

    [Fact]
    public void a_small_block_does_not_take_the_place_of_a_large_one()
    {
        blocks.Return(blocks.Rent(0));
        Assert.Equal(LargeBytes, blocks.Rent(LargeBytes).Length);
    }

    [Fact]
    public void no_more_is_kept_than_was_allowed()
    {
        const int kept = IdleBytesMax / LargeBytes;
        var rented = Enumerable.Range(0, kept + 10).Select(_ => blocks.Rent(LargeBytes)).ToHashSet();
        foreach (var block in rented) blocks.Return(block);
        var again = Enumerable.Range(0, kept + 10).Select(_ => blocks.Rent(LargeBytes)).Count(rented.Contains);
        Assert.Equal(kept, again);
    }

    [Fact]
    public void only_what_is_in_use_counts()
    {
        var block = blocks.Rent(LargeBytes);
        Assert.InRange(held.Bytes, LargeBytes, LargeBytes + 100);
        blocks.Return(block);
        Assert.Equal(0, held.Bytes);
    }
}
