namespace OrdersStream.Diagnostics;

/// <summary>
/// Keeps the heap small where rows are large (invariant 7). An array of 85,000 bytes or more is freed by a full collection only, and the
/// runtime puts that off until the heap is several times what is in use. Whoever makes such arrays says so here, and each
/// 32 MiB of them are followed by one.
/// </summary>
internal static class LargeObjects
{
    private const int LargeBytes = 85_000;
    private const long BytesBetweenCollections = 32 * 1024 * 1024;

    private static long allocated;

    /// <summary>An array of so many bytes was made, for a short time.</summary>
    public static void Made(int bytes)
    {
        if (bytes < LargeBytes || Interlocked.Add(ref allocated, bytes) < BytesBetweenCollections) return;
        Interlocked.Exchange(ref allocated, 0);
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: true);
    }
}
