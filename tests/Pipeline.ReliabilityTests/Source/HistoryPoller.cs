using System.Text.Json;
using OrdersStream.Kafka;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Oracles;

namespace OrdersStream.ReliabilityTests.Source;

/// <summary>The poller of a history: after each of its steps the topic is compared with the model.</summary>
internal sealed class HistoryPoller(TestStream stream, HistoryModel model, HistoryDice dice, bool holdsBack)
{
    private readonly HashSet<(int Key, string Label)> published = [];
    private readonly List<StreamRecord> notStored = [];

    public int Published => published.Count;

    private bool mayRepeat, mayAlwaysRepeat;

    /// <summary>Versions may have come again, since something gave rows ids that do not tell them from new ones.</summary>
    public bool MayRepeat { get; private set; }

    /// <summary>Until all is published.</summary>
    public void AllowAgain() => mayRepeat = MayRepeat = true;

    /// <summary>To the end.</summary>
    public void AlwaysAllowAgain() => mayAlwaysRepeat = mayRepeat = MayRepeat = true;

    public PlainPoll Plain { get; } = new(stream.Database);

    /// <summary>Polls until nothing is left: exactly the current versions are in the topic then, beside what was current before.</summary>
    public async Task DrainAsync()
    {
        Note("drain");
        await stream.DrainAsync();
        await Plain.PollAsync();
        Take(model.Current);
        if (holdsBack) return;
        ShouldBePublished(model.Current);
        mayRepeat = mayAlwaysRepeat;
    }

    /// <summary>Stops in the middle of a window; the next poll goes on there.</summary>
    public async Task PollOnePageAsync()
    {
        Note("one page");
        await stream.Instance.PollOnePageAsync();
        Take(model.Current);
    }

    /// <summary>Others' statements fall between two statements of one poll.</summary>
    /// <param name="others">They run then, or behind the poll where it is over sooner.</param>
    public async Task PollWhileAsync(Func<Task> others)
    {
        await DrainAsync();
        await others();
        var before = model.Current;
        Note("poll, and meanwhile");
        using (var between = new BetweenStatements(stream.Database.Name, 1 + dice.Next(8), others))
        {
            await stream.PollAsync();
            await between.EnsureRunAsync();
        }
        var after = model.Current;
        Take([.. before, .. after]);
        if (!holdsBack) ShouldBePublished(before.Intersect(after));
    }

    /// <summary>The process dies behind a durable step, and is started again.</summary>
    public async Task CrashAsync()
    {
        var steps = 1 + dice.Next(8);
        Note($"crash behind step {steps}");
        stream.OnReached = point =>
        {
            if (--steps == 0) throw new CrashException(point);
        };
        try
        {
            await stream.PollAsync();
        }
        catch (CrashException)
        {
            // The end of that process.
        }
        stream.OnReached = null;
        await RestartAsync();
        Take(model.Current);
    }

    public async Task RestartAsync()
    {
        Note("restart");
        await stream.RestartAsync();
    }

    public async Task StoreAsync()
    {
        Note("store");
        await stream.Instance.StoreAsync(notStored);
        notStored.Clear();
    }

    /// <summary>Invariant 2, and that nothing is in the topic that was not committed, or no longer current when it was read.</summary>
    private void Take(HashSet<(int, string)> allowed)
    {
        foreach (var record in stream.TakeNewRecords())
        {
            notStored.Add(record);
            var version = VersionOf(record);
            Assert.True(allowed.Contains(version), $"{version} is in the topic, and was not committed, or not current");
            Assert.True(published.Add(version) || mayRepeat, $"{version} is in the topic twice");
        }
    }

    /// <summary>Invariant 1.</summary>
    private void ShouldBePublished(IEnumerable<(int, string)> versions)
    {
        var missing = versions.Where(version => !published.Contains(version)).ToList();
        Assert.True(missing.Count == 0, $"missed: {string.Join(' ', missing)}");
    }

    internal static (int Key, string Label) VersionOf(StreamRecord record)
    {
        using var row = JsonDocument.Parse(record.Value);
        return (row.RootElement.GetProperty("id").GetInt32(), LabelOf(row.RootElement.GetProperty("name").GetString()!));
    }

    internal static string LabelOf(string name) => name[..name.IndexOf(' ')];

    private void Note(string what) => dice.Script.Add($"poller: {what}");
}
