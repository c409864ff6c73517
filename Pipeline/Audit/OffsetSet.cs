namespace OrdersStream.Audit;

/// <summary>Offsets of one partition, one bit each.</summary>
internal sealed class OffsetSet
{
    private const int BlockBits = 20;

    private readonly Dictionary<long, ulong[]> blocks = [];

    /// <returns>False: it was there already.</returns>
    public bool Add(long offset)
    {
        var number = offset >> BlockBits;
        if (!blocks.TryGetValue(number, out var block)) blocks[number] = block = new ulong[(1 << BlockBits) / 64];
        var bit = (int)(offset & ((1 << BlockBits) - 1));
        var mask = 1UL << (bit & 63);
        if ((block[bit >> 6] & mask) != 0) return false;
        block[bit >> 6] |= mask;
        return true;
    }
}
