using CsCheck;
using OrdersStream.Memory;

namespace OrdersStream.UnitTests.Memory;

/// <summary>What was written in pieces is read in pieces, wherever the blocks end.</summary>
public sealed class PooledBytesTests
{
    private readonly HeldMemory held = new();
    private readonly BlockPool blocks;

    public PooledBytesTests() => blocks = new BlockPool(held, 1024 * 1024);

    [Fact]
    public void pieces_come_back_as_they_went_in() => Gen.OneOf(Gen.Int[0, 3_000], Gen.Int[60_000, 200_000]).Array[1, 40].Sample(sizes =>
    {
        var pieces = sizes.Select((size, i) => Enumerable.Range(i, size).Select(b => (byte)b).ToArray()).ToList();
        var bytes = new PooledBytes(blocks);
        foreach (var piece in pieces) bytes.Append(piece);
        Assert.Equal(sizes.Sum(), bytes.Length);

        var reader = new PooledBytesReader(bytes);
        foreach (var piece in pieces.SkipWhile(p => p.Length == 0)) Assert.True(reader.Take(piece.Length).AsSpan().SequenceEqual(piece));
        bytes.Clear();
    }, iter: 200, threads: 1);

    [Fact]
    public void they_take_no_more_memory_than_they_are_and_one_block()
    {
        var bytes = new PooledBytes(blocks);
        for (var i = 0; i < 10_000; i++) bytes.Append(new byte[250]);
        Assert.InRange(held.Bytes, 2_500_000, 2_500_000 + 66 * 1024);
        bytes.Clear();
        Assert.Equal(0, held.Bytes);
    }
}
