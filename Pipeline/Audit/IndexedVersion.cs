using System.Runtime.InteropServices;
using OrdersStream.Lake;

namespace OrdersStream.Audit;

/// <summary>One version of a row in the lake, as the index has it: 48 bytes, in memory as on the disk.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct IndexedVersion
{
    /// <summary>Digest of the row's key.</summary>
    public UInt128 Key;

    /// <summary>Of the columns that lake and table both have.</summary>
    public ulong Digest;

    /// <summary>The lake column <c>_version</c>.</summary>
    public long Number;
    public long Offset;
    public int Partition;

    /// <summary>Which of the index's shapes the digest is of.</summary>
    public short Shape;
    public bool Deleted;

    /// <summary>By key, and the newest version of a key first: by the rule that readers are told (invariant 12).</summary>
    public static int Compare(IndexedVersion a, IndexedVersion b)
    {
        var byKey = a.Key.CompareTo(b.Key);
        if (byKey != 0) return byKey;
        return LakeRow.IsNewer(a.Number, a.Offset, b.Number, b.Offset) ? -1
            : LakeRow.IsNewer(b.Number, b.Offset, a.Number, a.Offset) ? 1
            : 0;
    }
}
