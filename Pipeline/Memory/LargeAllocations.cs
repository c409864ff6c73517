using System.Runtime.InteropServices;

namespace OrdersStream.Memory;

/// <summary>
/// Keeps memory small where rows are large (invariant 7). An array of 85,000 bytes or more is freed by a full collection only, and
/// the runtime puts that off until the heap is several times what is in use. The Kafka client, too, takes blocks of many sizes for
/// such rows, and the C library keeps the pages between those that are still in use. Whoever makes such arrays says so here, and
/// after each 16 MiB of them both are made to give back what is free.
/// </summary>
internal static partial class LargeAllocations
{
    private const int LargeBytes = 85_000;
    private const long BytesBetweenCollections = 16 * 1024 * 1024;
    private const int HeapShare = 8;

    private static long allocated;

    /// <summary>An array of so many bytes was made, for a short time.</summary>
    public static void Count(int bytes)
    {
        if (bytes >= LargeBytes) CountLeft(bytes);
    }

    /// <summary>
    /// So many bytes, of whatever size, were left behind by what was kept for long: the runtime looks for such only when as much again is
    /// in use.
    /// </summary>
    public static void CountLeft(long bytes)
    {
        if (Interlocked.Add(ref allocated, bytes) is var left && left < BytesBetweenCollections) return;
        // A collection takes as long as the heap is large: what it may find is to be worth it.
        if (left < GC.GetTotalMemory(forceFullCollection: false) / HeapShare) return;
        Interlocked.Exchange(ref allocated, 0);
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: true);
        TrimHeap();
    }

    /// <summary>
    /// Many small objects were made, and none is needed any more; the runtime would wait for as many as the processor caches.
    /// </summary>
    public static void CollectYoung() => GC.Collect(0, GCCollectionMode.Forced, blocking: true);

    /// <summary>
    /// Gives the pages of freed blocks back to the system, those between blocks in use too. For glibc: other C libraries keep fewer,
    /// or have no call for it.
    /// </summary>
    private static void TrimHeap()
    {
        if (!OperatingSystem.IsLinux()) return;
        try
        {
            _ = TrimOnGlibc(0);
        }
        catch (EntryPointNotFoundException)
        {
            // musl
        }
    }

    [LibraryImport("libc", EntryPoint = "malloc_trim")]
    private static partial int TrimOnGlibc(nuint kept);
}
