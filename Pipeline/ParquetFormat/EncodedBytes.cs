namespace OrdersStream.ParquetFormat;

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
