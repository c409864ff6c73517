namespace OrdersStream.Audit;

/// <summary>A row that is captured by now, and not in the lake as it is in the table.</summary>
/// <param name="Number">Which row of its range, in its order.</param>
/// <param name="Difference">Missing or stale.</param>
/// <param name="Version">The lake's newest version, where it is stale.</param>
internal readonly record struct Mismatch(int Number, RowDifference Difference, IndexedVersion Version);

/// <summary>The rows of a range, by how they compare.</summary>
internal readonly record struct RangeCounts(long Rows, long Equal, long OnTheWay, long Missing, long Stale)
{
    public static RangeCounts operator +(RangeCounts a, RangeCounts b) =>
        new(a.Rows + b.Rows, a.Equal + b.Equal, a.OnTheWay + b.OnTheWay, a.Missing + b.Missing, a.Stale + b.Stale);
}

/// <summary>The rows of a range against the lake's newest versions.</summary>
internal sealed class RangeMatch
{
    private readonly List<Mismatch> mismatches = [];

    private RangeMatch()
    {
    }

    public RangeCounts Counts { get; private set; }
    public IReadOnlyList<Mismatch> Mismatches => mismatches;

    /// <summary>Compares a range, in the order of its rows' digests.</summary>
    public static RangeMatch Of(TableRange range, LakeIndex index)
    {
        var match = new RangeMatch();
        long equal = 0, onTheWay = 0, missing = 0, stale = 0;
        for (var i = 0; i < range.Rows.Length; i++)
        {
            ref readonly var row = ref range.Rows[i];
            var isThere = index.TryFind(row.Key, out var version) && !version.Deleted;
            if (isThere && version.Digest == range.DigestOf(row, version.Shape))
            {
                equal++;
                continue;
            }
            if (!row.IsCovered)
            {
                onTheWay++;
                continue;
            }
            if (isThere) stale++;
            else missing++;
            match.mismatches.Add(new(i, isThere ? RowDifference.Stale : RowDifference.Missing, version));
        }
        match.Counts = new(range.Rows.Length, equal, onTheWay, missing, stale);
        return match;
    }
}
