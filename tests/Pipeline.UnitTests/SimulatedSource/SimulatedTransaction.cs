namespace OrdersStream.UnitTests.SimulatedSource;

/// <summary>How much a transaction keeps others out until it ends.</summary>
internal enum TableLock
{
    None,
    /// <summary>Nobody else writes (SHARE ROW EXCLUSIVE).</summary>
    Writers,
    /// <summary>Nobody else reads, either (ACCESS EXCLUSIVE).</summary>
    All,
}

/// <summary>A transaction of a client: a level for each savepoint, each with an id of its own once it has written.</summary>
internal sealed class SimulatedTransaction(long start)
{
    private readonly List<Level> levels = [new()];

    private sealed class Level
    {
        public ulong? Id { get; set; }
        public List<ulong> Merged { get; } = [];
        public Dictionary<long, RowVersion> Writes { get; } = [];
    }

    /// <summary>The clock as it began.</summary>
    public long Start => start;

    /// <summary>Others see when it began: a moment later.</summary>
    public bool IsShown { get; set; }

    /// <summary>Its commit does not wait for the disk.</summary>
    public bool IsAsync { get; init; }

    public TableLock Lock { get; set; }

    /// <summary>What its commit does beside its writes.</summary>
    public Func<Contents, Contents>? Change { get; set; }

    /// <summary>The id that snapshots list; null: it has written nothing.</summary>
    public ulong? Id => levels[0].Id;

    public bool HasWritten => levels.Any(level => level.Writes.Count > 0);

    public int Savepoints => levels.Count - 1;

    /// <summary>The greatest of its ids.</summary>
    public ulong LatestId => levels.SelectMany(level => level.Merged.Append(level.Id ?? 0)).Max();

    /// <summary>In their order.</summary>
    public IEnumerable<RowVersion> Writes => levels.SelectMany(level => level.Writes.Values);

    // A lock is kept to the end here, whatever is rolled back: that costs histories, and no truth.
    public HashSet<long> Held { get; } = [];

    /// <summary>The id of what it writes now; levels below get theirs first.</summary>
    public ulong IdToWrite(Func<ulong> next)
    {
        foreach (var level in levels) level.Id ??= next();
        return levels[^1].Id!.Value;
    }

    public void Write(RowVersion row)
    {
        Held.Add(row.Key);
        levels[^1].Writes[row.Key] = row;
    }

    public void Savepoint() => levels.Add(new());

    public void Release()
    {
        var last = levels[^1];
        levels.RemoveAt(levels.Count - 1);
        foreach (var (key, row) in last.Writes) levels[^1].Writes[key] = row;
        levels[^1].Merged.AddRange(last.Id is { } id ? last.Merged.Append(id) : last.Merged);
    }

    /// <returns>The greatest id that was given up; null: none.</returns>
    public ulong? RollBack()
    {
        var last = levels[^1];
        levels[^1] = new();
        return last.Id is { } id ? last.Merged.Append(id).Max() : null;
    }
}
