using System.Runtime.InteropServices;
using OrdersStream.Lake;
using OrdersStream.Lake.Files;
using OrdersStream.Rows;

namespace OrdersStream.Audit;

/// <summary>
/// The newest version of each row in the lake, as digests: one share of the keys at a time, so that memory stays bounded.
/// </summary>
internal sealed class LakeVersions(ILakeFiles lake, TableSchema table, Func<string, TableSchema> schemaOf)
{
    /// <summary>The newest version of one row.</summary>
    public struct Version
    {
        public int Partition;
        public long Offset;
        public long Timestamp;
        public UInt128 Digest;
        public short Schema;
        public bool Deleted;
        public bool Matched;
    }

    private sealed record Shape(ComparableColumns Columns, RowDigest Key, RowDigest Values, int Timestamp);

    private readonly List<Shape> shapes = [];
    private readonly Dictionary<string, short> shapeOf = [];
    private readonly List<RowDigest> tableDigests = [];
    private readonly Dictionary<int, OffsetSet> offsets = [];

    public Dictionary<UInt128, Version> ByKey { get; } = [];
    public long Rows { get; private set; }
    public long StoredTwice { get; private set; }
    public IEnumerable<string> ColumnsLeftOut => shapes.SelectMany(s => s.Columns.LeftOut);

    /// <summary>The version of a key, to be marked where it lies.</summary>
    public ref Version Find(UInt128 key, out bool found)
    {
        ref var version = ref CollectionsMarshal.GetValueRefOrNullRef(ByKey, key);
        found = !System.Runtime.CompilerServices.Unsafe.IsNullRef(ref version);
        return ref version;
    }

    /// <summary>How the table's rows are digested to be compared with a version of that schema.</summary>
    public RowDigest TableDigest(int schema) => tableDigests[schema];

    /// <summary>Takes in the rows of a share of the keys.</summary>
    /// <param name="files">The lake's files.</param>
    /// <param name="share">Which share.</param>
    /// <param name="shares">Of how many.</param>
    public async Task LoadAsync(IReadOnlyList<string> files, int share, int shares, CancellationToken cancellationToken)
    {
        ByKey.Clear();
        var reader = new LakeReader(lake, schemaOf);
        foreach (var file in files)
            await foreach (var row in reader.ReadAsync(file, cancellationToken)) Take(row, share, shares);
    }

    public static bool IsIn(UInt128 key, int share, int shares) => (int)((ulong)(key >> 64) % (ulong)shares) == share;

    private void Take(LakeRow row, int share, int shares)
    {
        if (share == 0) Count(row);
        var number = ShapeOf(row.Row.Schema);
        var shape = shapes[number];
        var key = shape.Key.Of(row.Row);
        if (!IsIn(key, share, shares)) return;

        var timestamp = row.Row.Cells[shape.Timestamp].Bits;
        ref var version = ref CollectionsMarshal.GetValueRefOrAddDefault(ByKey, key, out var known);
        if (known && !IsNewer(row, timestamp, version)) return;
        version = new Version
        {
            Partition = row.Partition, Offset = row.Offset, Timestamp = timestamp, Schema = number, Deleted = row.Op == RowOp.Delete,
            Digest = shape.Values.Of(row.Row),
        };
    }

    private void Count(LakeRow row)
    {
        Rows++;
        if (!offsets.TryGetValue(row.Partition, out var seen)) offsets[row.Partition] = seen = new OffsetSet();
        if (!seen.Add(row.Offset)) StoredTwice++;
    }

    /// <summary>
    /// A key stays in its partition, where offsets tell the order; only where partitions were added does the timestamp have to.
    /// </summary>
    private static bool IsNewer(LakeRow row, long timestamp, in Version version) =>
        row.Partition == version.Partition ? row.Offset > version.Offset : timestamp > version.Timestamp;

    private short ShapeOf(TableSchema schema)
    {
        if (shapeOf.TryGetValue(schema.Fingerprint, out var known)) return known;
        var columns = new ComparableColumns(table, schema);
        shapes.Add(new Shape(columns, new RowDigest(schema, columns.LakeKey), new RowDigest(schema, columns.Lake), schema.TimestampColumn));
        tableDigests.Add(new RowDigest(table, columns.Table));
        return shapeOf[schema.Fingerprint] = (short)(shapes.Count - 1);
    }
}

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
