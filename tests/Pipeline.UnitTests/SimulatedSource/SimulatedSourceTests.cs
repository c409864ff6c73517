using System.Globalization;

namespace OrdersStream.UnitTests.SimulatedSource;

/// <summary>
/// Invariants 1 and 2 under histories of a source that nobody thought of, over a model of what Postgres shows to whom. SOURCE_SECONDS
/// says for how long new ones are made, SOURCE_COUNT how many; SOURCE_SEED repeats one, or says the first.
/// </summary>
public sealed class SimulatedSourceTests
{
    /// <summary>So many always, and always the same.</summary>
    private const int DefaultCount = 20_000;

    [Fact]
    public void whatever_the_source_does_the_newest_version_of_each_row_is_published_and_none_twice_without_need()
    {
        var begun = TimeProvider.System.GetTimestamp();
        var (seconds, wanted) = (Number("SOURCE_SECONDS"), Number("SOURCE_COUNT"));
        var first = Number("SOURCE_SEED") ?? (seconds is null ? 1 : Random.Shared.Next(1_000_000_000));
        var sum = new SourceSum();
        do
        {
            sum.Add(Run(first + sum.Histories));
        }
        while (IsMore());
        TestContext.Current.TestOutputHelper?.WriteLine($"{sum}, from SOURCE_SEED={first} on");

        bool IsMore() => seconds is { } s
            ? TimeProvider.System.GetElapsedTime(begun).TotalSeconds < s
            : sum.Histories < (wanted ?? (Number("SOURCE_SEED") is null ? DefaultCount : 1));
    }

    private static SourceHistory Run(int seed)
    {
        var history = new SourceHistory(seed);
        try
        {
            history.Run();
            return history;
        }
        catch (Exception e)
        {
            throw new InvalidOperationException(
                $"SOURCE_SEED={seed} repeats it ({history.Kinds}): {e.Message}\n{string.Join('\n', history.Steps)}", e);
        }
    }

    private static int? Number(string name) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } text ? int.Parse(text, CultureInfo.InvariantCulture) : null;
}

/// <summary>What many histories came to.</summary>
internal sealed class SourceSum
{
    private long windows, versions, repeats, undone, heldBack;

    public int Histories { get; private set; }

    public void Add(SourceHistory history)
    {
        Histories++;
        windows += history.Poller.Windows;
        versions += history.Published.Count;
        repeats += history.Published.Repeats;
        undone += history.Published.Undone(history.Server.Contents);
        heldBack += history.HeldBack;
    }

    public override string ToString() =>
        $"{Histories} histories, {windows} windows, {heldBack} of them held back, {versions} row versions, {repeats} published again, "
        + $"{undone} rows undone and not captured again";
}
