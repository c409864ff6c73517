namespace OrdersStream.ReliabilityTests.Source;

/// <summary>How strongly a transaction holds a row; two of them may hold it at once where their strengths together are at most 2.</summary>
internal enum RowLock
{
    KeyShare,
    Share,
    /// <summary>FOR NO KEY UPDATE, and what every write takes.</summary>
    NoKeyUpdate,
    Update,
}

/// <summary>
/// What the table must hold, told in memory: the oracle of a history. A row's version is the label that the statement gave it.
/// </summary>
internal sealed class HistoryModel
{
    private readonly Dictionary<int, string> committed = [];
    private readonly HashSet<ModelTransaction> open = [];

    /// <summary>The committed versions that are current, as (key, label).</summary>
    public HashSet<(int Key, string Label)> Current => [.. committed.Select(row => (row.Key, row.Value))];

    public ModelTransaction Begin()
    {
        var transaction = new ModelTransaction();
        open.Add(transaction);
        return transaction;
    }

    public void Commit(ModelTransaction transaction)
    {
        foreach (var (key, label) in transaction.Writes) committed[key] = label;
        open.Remove(transaction);
    }

    public void RollBack(ModelTransaction transaction) => open.Remove(transaction);

    /// <summary>The row is there for this transaction.</summary>
    public bool Sees(ModelTransaction transaction, int key) => committed.ContainsKey(key) || transaction.Has(key);

    /// <summary>It would not have to wait for another transaction.</summary>
    public bool MayHold(ModelTransaction transaction, int key, RowLock strength) =>
        open.All(other => other == transaction || other.Held(key) is not { } held || (int)held + (int)strength <= 2);
}

/// <summary>One transaction's writes, a level for each savepoint.</summary>
internal sealed class ModelTransaction
{
    private readonly List<Dictionary<int, string>> levels = [[]];
    private readonly Dictionary<int, RowLock> held = [];

    /// <summary>Savepoints that can be rolled back to.</summary>
    public int Savepoints => levels.Count - 1;

    /// <summary>In their order: of several writes of a key the last one counts.</summary>
    public IEnumerable<KeyValuePair<int, string>> Writes => levels.SelectMany(level => level);

    public bool Has(int key) => levels.Any(level => level.ContainsKey(key));

    /// <summary>Null: not held. A lock is kept to the end here, whatever is rolled back: that costs histories, and no truth.</summary>
    public RowLock? Held(int key) => held.TryGetValue(key, out var strength) ? strength : null;

    public void Hold(int key, RowLock strength) => held[key] = Held(key) is { } before && before > strength ? before : strength;

    public void Write(int key, string label)
    {
        Hold(key, RowLock.NoKeyUpdate);
        levels[^1][key] = label;
    }

    public void Savepoint() => levels.Add([]);

    /// <param name="savepoint">From 1; it stays, and those behind it are gone.</param>
    public void RollBackTo(int savepoint)
    {
        levels.RemoveRange(savepoint, levels.Count - savepoint);
        Savepoint();
    }

    /// <param name="savepoint">From 1; it and those behind it are gone, and what was written since is kept.</param>
    public void Release(int savepoint)
    {
        foreach (var (key, label) in levels.Skip(savepoint).SelectMany(level => level)) levels[savepoint - 1][key] = label;
        levels.RemoveRange(savepoint, levels.Count - savepoint);
    }
}
