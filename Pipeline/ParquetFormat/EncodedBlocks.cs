using System.Buffers;

namespace OrdersStream.ParquetFormat;

/// <summary>
/// The blocks of <see cref="EncodedBytes"/>, used again from file to file and batch to batch. The runtime's pool keeps a few dozen and leaves the others
/// to a collection that comes late: tens of MiB more after millions of rows. For one thread; keeps a bounded size (invariant 7).
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
        isFirst ? ArrayPool<byte>.Shared.Rent(BytesMin) : idle.TryPop(out var block) ? block : GC.AllocateUninitializedArray<byte>(BytesMax);

    public void Return(byte[] block)
    {
        if (block.Length < BytesMax) ArrayPool<byte>.Shared.Return(block);
        else if (idle.Count < IdleMax) idle.Push(block);
    }
}
