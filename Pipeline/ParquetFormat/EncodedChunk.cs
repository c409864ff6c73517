using System.Buffers;
using Parquet.Meta;

namespace OrdersStream.ParquetFormat;

/// <summary>One column of a row group, encoded, and where in it what stands.</summary>
internal sealed class EncodedChunk(ColumnMetaData meta, EncodedBytes dictionary, EncodedBytes pages)
{
    public ColumnMetaData Meta { get; } = meta;

    /// <summary>Writes the chunk and notes its place in the metadata.</summary>
    /// <returns>The place behind it.</returns>
    public async Task<long> WriteAsync(Stream file, long position, CancellationToken cancellationToken)
    {
        if (dictionary.Length > 0) Meta.DictionaryPageOffset = position;
        Meta.DataPageOffset = position + dictionary.Length;
        await dictionary.WriteToAsync(file, cancellationToken);
        await pages.WriteToAsync(file, cancellationToken);
        return position + dictionary.Length + pages.Length;
    }

    public void Clear()
    {
        dictionary.Clear();
        pages.Clear();
    }
}

/// <summary>
/// Bytes that wait to be written: a list of rented blocks, small at first, so that growing copies nothing and a file of
/// few rows holds little.
/// </summary>
internal sealed class EncodedBytes(EncodedBlocks pool)
{
    private readonly List<byte[]> blocks = [];
    private int free;

    public long Length { get; private set; }

    public void Append(ReadOnlySpan<byte> bytes)
    {
        Length += bytes.Length;
        while (bytes.Length > 0)
        {
            if (free == 0) AddBlock();
            var part = bytes[..Math.Min(free, bytes.Length)];
            part.CopyTo(blocks[^1].AsSpan(blocks[^1].Length - free));
            free -= part.Length;
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
        var block = pool.Rent(isFirst: blocks.Count == 0);
        blocks.Add(block);
        free = block.Length;
    }
}

/// <summary>
/// The blocks of <see cref="EncodedBytes"/>, used again from file to file and batch to batch. The runtime's pool keeps a few
/// dozen and leaves the others to a collection that comes late: tens of MiB more after millions of rows. For one thread; keeps
/// a bounded size (invariant 7).
/// </summary>
internal sealed class EncodedBlocks
{
    /// <summary>What one column of a file with few rows takes.</summary>
    private const int BytesMin = 4 * 1024;
    private const int BytesMax = 64 * 1024;
    private const int IdleMax = 32 * 1024 * 1024 / BytesMax;

    private readonly Stack<byte[]> idle = [];

    /// <param name="isFirst">Small: there may be no other.</param>
    public byte[] Rent(bool isFirst) =>
        isFirst ? ArrayPool<byte>.Shared.Rent(BytesMin)
        : idle.TryPop(out var block) ? block
        : GC.AllocateUninitializedArray<byte>(BytesMax);

    public void Return(byte[] block)
    {
        if (block.Length < BytesMax) ArrayPool<byte>.Shared.Return(block);
        else if (idle.Count < IdleMax) idle.Push(block);
    }
}
