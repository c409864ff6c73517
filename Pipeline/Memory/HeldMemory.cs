using System.Runtime.CompilerServices;

namespace OrdersStream.Memory;

/// <summary>
/// What the arrays of many owners take together, counted where they grow and where they are given up, so that it can be asked for after
/// each row (invariant 7). For one thread.
/// </summary>
internal sealed class HeldMemory
{
    /// <summary>What the runtime puts before the elements of an array.</summary>
    private const int ArrayHeaderBytes = 24;

    public long Bytes { get; private set; }

    public void Add(long bytes) => Bytes += bytes;

    /// <summary>What an array takes; the empty one is everybody's.</summary>
    public static long Of<T>(T[] array) => array.Length == 0 ? 0 : ArrayHeaderBytes + ((long)array.Length * Unsafe.SizeOf<T>() + 7) / 8 * 8;
}
