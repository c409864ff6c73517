using System.Globalization;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Source;

/// <summary>
/// Invariants 1 and 2 over histories that nobody thought of. HISTORY_SECONDS says for how long new ones are made; HISTORY_SEED repeats one.
/// </summary>
public sealed class HistoryTests(KafkaServer kafka)
{
    private const int DefaultSeconds = 15;

    [Fact]
    public async Task whatever_the_transactions_are_each_current_version_is_published_once_and_nothing_else()
    {
        kafka.RequireReal("what an aborted transaction published stays hidden");
        await using var postgres = await PostgresServer.StartOwnAsync();
        var begun = TimeProvider.System.GetTimestamp();
        var seconds = Number("HISTORY_SECONDS") ?? DefaultSeconds;
        var (histories, versions, missed) = (0, 0L, 0L);
        do
        {
            var seed = Number("HISTORY_SEED") ?? Random.Shared.Next();
            await using var history = await History.CreateAsync(seed, postgres, kafka);
            try
            {
                await history.RunAsync();
                Assert.True(history.MissedByPlainPoll > 0, "a plain poll misses nothing here: the history does not bite");
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"history {histories + 1}; HISTORY_SEED={seed} repeats it: {e.Message}", e);
            }
            (histories, versions, missed) = (histories + 1, versions + history.Published, missed + history.MissedByPlainPoll);
        }
        while (Number("HISTORY_SEED") is null && TimeProvider.System.GetElapsedTime(begun) < TimeSpan.FromSeconds(seconds));
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{histories} histories, {versions} row versions, of which a plain poll misses {missed} that are current at the end");
    }

    private static int? Number(string name) =>
        TestEnvironment.Read(name) is { } text ? int.Parse(text, CultureInfo.InvariantCulture) : null;
}
