using System.Numerics;

namespace OrdersStream.Memory;

/// <summary>
/// Bytes that wait to be written or read: a list of rented blocks, small at first, so that growing copies nothing and never holds twice as
/// much as is in it.
/// </summary>
internal sealed class PooledBytes(BlockPool pool)
{
    private readonly List<byte[]> blocks = [];
    private int free;

    public long Length { get; private set; }

    internal IReadOnlyList<byte[]> Blocks => blocks;

    public void Append(ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            if (free == 0) AddBlock();
            var part = bytes[..Math.Min(free, bytes.Length)];
            part.CopyTo(blocks[^1].AsSpan(blocks[^1].Length - free));
            free -= part.Length;
            Length += part.Length;
            bytes = bytes[part.Length..];
        }
    }

    public async Task WriteToAsync(Stream file, CancellationToken cancellationToken)
    {
        for (var i = 0; i < blocks.Count; i++)
            await file.WriteAsync(blocks[i].AsMemory(0, blocks[i].Length - (i == blocks.Count - 1 ? free : 0)), cancellationToken);
    }

    /// <summary>Empties it and gives the blocks back.</summary>
    public void Clear()
    {
        foreach (var block in blocks) pool.Return(block);
        blocks.Clear();
        Length = free = 0;
    }

    private void AddBlock()
    {
        var block = pool.Rent(Length);
        blocks.Add(block);
        free = block.Length;
    }
}

/// <summary>Reads what was written, from its beginning on; nothing is written meanwhile.</summary>
internal sealed class PooledBytesReader(PooledBytes bytes)
{
    /// <summary>Where a piece lies that begins in one block and ends in another.</summary>
    private readonly ByteBuffer joined = new(0);
    private int block, place;

    /// <summary>The next bytes, in one piece. Valid until the next call.</summary>
    public ArraySegment<byte> Take(int count)
    {
        if (Left >= count)
        {
            place += count;
            return new(bytes.Blocks[block], place - count, count);
        }
        joined.Clear();
        var piece = joined.GetSpan(count)[..count];
        while (piece.Length > 0)
        {
            if (Left == 0) (block, place) = (block + 1, 0);
            var part = bytes.Blocks[block].AsSpan(place, Math.Min(Left, piece.Length));
            part.CopyTo(piece);
            place += part.Length;
            piece = piece[part.Length..];
        }
        return new(joined.Array, 0, count);
    }

    private int Left => bytes.Blocks[block].Length - place;
}

/// <summary>
/// The blocks of <see cref="PooledBytes"/>, used again from file to file, page to page and batch to batch. The runtime's pool keeps a few
/// dozen and leaves the others to a collection that comes late: tens of MiB more after millions of rows. For one thread; keeps
/// a bounded size (invariant 7).
/// </summary>
/// <param name="held">Where those in use count.</param>
/// <param name="idleBytesMax">What is kept at the most.</param>
internal sealed class BlockPool(HeldMemory held, long idleBytesMax)
{
    /// <summary>Enough for one column of a file with few rows, or a page of a few.</summary>
    private const int BytesMin = 1024;
    private const int BytesMax = 64 * 1024;

    /// <summary>By the logarithm of their size.</summary>
    private readonly Stack<byte[]>[] idle = [.. Enumerable.Range(0, BitOperations.Log2(BytesMax) + 1).Select(_ => new Stack<byte[]>())];
    private long idleBytes;

    /// <summary>Where those in use count.</summary>
    public HeldMemory Held => held;

    /// <param name="behind">Bytes that there are already: the next block is about as large.</param>
    public byte[] Rent(long behind)
    {
        var bytes = (int)BitOperations.RoundUpToPowerOf2((ulong)Math.Clamp(behind, BytesMin, BytesMax));
        if (idle[BitOperations.Log2((uint)bytes)].TryPop(out var block)) idleBytes -= bytes;
        else block = GC.AllocateUninitializedArray<byte>(bytes);
        held.Add(HeldMemory.Of(block));
        return block;
    }

    public void Return(byte[] block)
    {
        held.Add(-HeldMemory.Of(block));
        if (idleBytes + block.Length > idleBytesMax) return;
        idleBytes += block.Length;
        idle[BitOperations.Log2((uint)block.Length)].Push(block);
    }
}
