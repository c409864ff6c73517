using OrdersStream.Postgres;

namespace OrdersStream.UnitTests.SimulatedSource;

/// <summary>What is in the topic: the oracle of a history.</summary>
internal sealed class PublishedVersions
{
    private readonly Dictionary<long, (int Version, string Reading)> newest = [];
    private readonly HashSet<(long Key, int Version, string Reading)> all = [];
    private readonly HashSet<(long Key, int Version)> undone = [];
    private readonly Dictionary<long, int> had = [];

    /// <summary>Something happened after which the rules allow that versions come again.</summary>
    public bool MayRepeat { get; set; }

    public int Count => all.Count;
    public int Repeats { get; private set; }

    public void Add(RowVersion row, string reading)
    {
        newest[row.Key] = (row.Version, reading);
        if (all.Add((row.Key, row.Version, reading))) return;
        Repeats++;
        if (!MayRepeat) throw new InvalidOperationException($"key {row.Key}, v{row.Version}, is published twice");
    }

    /// <summary>
    /// A crash or an older volume took versions back. Rows that are now as they were before need not be captured again, nor what was
    /// prepared and is so again: the source had another end of it once.
    /// </summary>
    /// <param name="before">What there was.</param>
    /// <param name="after">What is left.</param>
    /// <param name="seen">How values read at the last horizon.</param>
    /// <param name="isCrash">
    /// Only what was not on the disk is lost, which nobody captured: a row that is as it was before was captured, or will be.
    /// </param>
    public void Lost(Contents before, Contents after, string seen, bool isCrash)
    {
        foreach (var row in before.Rows.Values)
            if (row.Version > had.GetValueOrDefault(row.Key)) had[row.Key] = row.Version;
        var lost = after.Rows.Values.Where(r =>
            before.Rows.GetValueOrDefault(r.Key)?.Version != r.Version || Had(r.Key) > r.Version
            || (newest.TryGetValue(r.Key, out var last) && last.Reading != seen)).ToList();
        if (lost.Count > 0) MayRepeat = true;
        undone.UnionWith(lost.Concat(after.Prepared.SelectMany(t => t.Writes)).Select(r => (r.Key, r.Version))
            .Where(v => !isCrash || all.Any(p => (p.Key, p.Version) == v)));
    }

    /// <summary>All rows from a bound on are captured again.</summary>
    public void ReadAgain(Contents contents, DateTime? bound)
    {
        foreach (var row in contents.Rows.Values)
            if (bound is null || row.Time is null || SimulatedClock.Time(row.Time.Value) >= bound) undone.Remove((row.Key, row.Version));
    }

    /// <summary>Nothing that is committed is missing.</summary>
    public void Check(Contents contents)
    {
        foreach (var row in contents.Rows.Values)
        {
            var now = contents.Catalogue.Reading;
            if (newest.TryGetValue(row.Key, out var last) && last.Version == row.Version && Reads(last.Reading, now)) continue;
            if (undone.Contains((row.Key, row.Version))) continue;
            throw new InvalidOperationException(
                $"{row} is in the table, reads {now}, and published is v{last.Version}, reads {last.Reading}");
        }
    }

    /// <summary>Rows that are as they were before versions of them were lost, and were not captured again.</summary>
    public int Undone(Contents contents) =>
        contents.Rows.Values.Count(r => undone.Contains((r.Key, r.Version)) && newest.GetValueOrDefault(r.Key).Version != r.Version);

    private int Had(long key) => Math.Max(had.GetValueOrDefault(key), newest.GetValueOrDefault(key).Version);

    // A column that was dropped since is in nobody's way.
    private static bool Reads(string then, string now) => then == now || now.Split(' ').All(then.Split(' ').Contains);
}
