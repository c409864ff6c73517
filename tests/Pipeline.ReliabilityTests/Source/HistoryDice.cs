namespace OrdersStream.ReliabilityTests.Source;

/// <summary>
/// Everything that chance decides in one history, from one seed; and what it came to, for whoever has to understand a failure.
/// </summary>
internal sealed class HistoryDice(int seed)
{
    private readonly Random random = new(seed);
    private int names;
    private int keys = 10;

    public List<string> Script { get; } = [];

    public int Next(int below) => random.Next(below);

    /// <summary>One that was not there before.</summary>
    public string NextName(string prefix) => $"{prefix}{++names}";

    /// <summary>Mostly one that was there before: there are few, and slowly more.</summary>
    public int NextKey() => random.Next(10) == 0 ? ++keys : 1 + random.Next(keys);

    /// <summary>One of several, by their weights.</summary>
    public Task Of(params (int Weight, Func<Task> Step)[] choices)
    {
        var chosen = random.Next(choices.Sum(c => c.Weight));
        return choices.First(c => (chosen -= c.Weight) < 0).Step();
    }
}
