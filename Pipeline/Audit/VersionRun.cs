using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace OrdersStream.Audit;

/// <summary>
/// The newest versions of many keys, ascending, in a file of its own. In memory is the first key of each block: a version is found by
/// reading one block, whatever the run's size (invariant 7).
/// </summary>
internal sealed class VersionRun : IDisposable
{
    /// <summary>Versions of a block: 4 KiB.</summary>
    private const int BlockVersions = 85;

    private static readonly Comparer<IndexedVersion> ByKey = Comparer<IndexedVersion>.Create((a, b) => a.Key.CompareTo(b.Key));

    private readonly FileStream file;
    private readonly List<UInt128> blocks = [];
    private readonly IndexedVersion[] block = new IndexedVersion[BlockVersions];
    private int blockRead = -1;
    private int blockLength;
    private UInt128 last;

    private VersionRun(string folder)
    {
        var path = Path.Combine(folder, Path.GetRandomFileName());
        file = new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.CreateNew, Access = FileAccess.ReadWrite, Share = FileShare.Delete, BufferSize = 64 * 1024,
            Options = FileOptions.DeleteOnClose,
        });
        // Nameless from now on, so that nothing stays of a process that is killed.
        if (!OperatingSystem.IsWindows()) File.Delete(path);
    }

    /// <summary>Versions in it.</summary>
    public long Count { get; private set; }

    /// <summary>Writes a run; it is gone with the process, or once it is disposed of.</summary>
    /// <param name="folder">Where there is room for it.</param>
    /// <param name="ascending">By key, and of each key the newest first: the others are left out.</param>
    public static VersionRun Write(string folder, IEnumerable<IndexedVersion> ascending)
    {
        var run = new VersionRun(folder);
        try
        {
            foreach (var version in ascending) run.Append(version);
            run.Seal();
            return run;
        }
        catch
        {
            run.Dispose();
            throw;
        }
    }

    /// <summary>The version of a key. Keys that are asked for in ascending order cost one reading of each block.</summary>
    /// <param name="key">Digest of the key.</param>
    /// <param name="version">The newest version.</param>
    /// <returns>Its place in the run; -1: the key is not there.</returns>
    public long Find(UInt128 key, out IndexedVersion version)
    {
        version = default;
        var place = blocks.BinarySearch(key);
        var number = place >= 0 ? place : ~place - 1;
        if (number < 0) return -1;
        Read(number);
        var within = Array.BinarySearch(block, 0, blockLength, new IndexedVersion { Key = key }, ByKey);
        if (within < 0) return -1;
        version = block[within];
        return (long)number * BlockVersions + within;
    }

    /// <summary>All of it, in order; nothing else may be asked of the run meanwhile.</summary>
    public IEnumerable<IndexedVersion> ReadAll()
    {
        for (var number = 0; number < blocks.Count; number++)
        {
            Read(number);
            for (var i = 0; i < blockLength; i++) yield return block[i];
        }
    }

    public void Dispose() => file.Dispose();

    private void Append(in IndexedVersion version)
    {
        if (Count > 0 && last == version.Key) return;
        last = version.Key;
        if (blockLength == BlockVersions) Flush();
        if (blockLength == 0) blocks.Add(version.Key);
        block[blockLength++] = version;
        Count++;
    }

    private void Flush()
    {
        file.Write(MemoryMarshal.AsBytes(block.AsSpan(0, blockLength)));
        blockLength = 0;
    }

    private void Seal()
    {
        Flush();
        file.Flush();
    }

    private void Read(int number)
    {
        if (number == blockRead) return;
        blockLength = (int)Math.Min(BlockVersions, Count - (long)number * BlockVersions);
        var bytes = MemoryMarshal.AsBytes(block.AsSpan(0, blockLength));
        var at = (long)number * BlockVersions * Unsafe.SizeOf<IndexedVersion>();
        for (var read = 0; read < bytes.Length;)
        {
            var more = RandomAccess.Read(file.SafeFileHandle, bytes[read..], at + read);
            if (more == 0) throw new EndOfStreamException("the audit's index is shorter than what was written to it");
            read += more;
        }
        blockRead = number;
    }
}
