using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Source;

/// <summary>
/// One generated history: several clients' transactions, their statements interleaved by chance with those of a poller that takes small
/// pages, is cut off and starts again. One statement at a time and a server of its own, so that a seed is the whole history.
/// </summary>
internal sealed class History : IAsyncDisposable
{
    private const int Steps = 250, Sessions = 5;

    private readonly TestStream stream;
    private readonly HistoryDice dice;
    private readonly HistoryModel model = new();
    private readonly HistoryPoller poller;
    private readonly List<HistorySession> sessions = [];
    private readonly List<IAsyncDisposable> connections = [];
    private readonly List<(ModelTransaction Transaction, string Name)> prepared = [];

    private History(TestStream stream, HistoryDice dice, bool holdsBack)
    {
        (this.stream, this.dice) = (stream, dice);
        poller = new HistoryPoller(stream, model, dice, holdsBack);
    }

    /// <summary>Row versions that came through.</summary>
    public int Published => poller.Published;

    /// <summary>Row versions that are current at the end and were never seen by a poll for what is later than the last.</summary>
    public int MissedByPlainPoll { get; private set; }

    public static async Task<History> CreateAsync(int seed, PostgresServer postgres, KafkaServer kafka)
    {
        var dice = new HistoryDice(seed);
        // In every fourth history the poller may remember few transactions only, and holds the others' rows back.
        var holdsBack = dice.Next(4) == 0;
        var stream = await TestStream.CreateAsync(postgres, kafka, configure: o => o with
        {
            Postgres = o.Postgres with { PageBytes = 1024, SeenTransactions = holdsBack ? 3 : o.Postgres.SeenTransactions },
        });
        var history = new History(stream, dice, holdsBack);
        for (var i = 1; i <= Sessions; i++)
        {
            var connection = await stream.Database.OpenSessionAsync();
            history.connections.Add(connection);
            // A statement that waits is a fault of the model.
            await connection.ExecuteAsync("SET lock_timeout = '20s'");
            history.sessions.Add(new HistorySession(connection, history.model, dice, $"session {i}"));
        }
        return history;
    }

    public async Task RunAsync()
    {
        try
        {
            for (var step = 0; step < Steps; step++) await StepAsync();
            await EndAsync();
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"{e.Message}\nthe last steps:\n{string.Join('\n', dice.Script.TakeLast(60))}", e);
        }
    }

    private Task StepAsync() => dice.Of(
        (40, SessionStepAsync), (5, poller.DrainAsync), (3, poller.PollOnePageAsync), (4, () => poller.PollWhileAsync(SessionStepsAsync)),
        (1, poller.StoreAsync), (1, poller.RestartAsync), (1, poller.CrashAsync), (2, EndPreparedAsync),
        (2, () => OutsideAsync("VACUUM (FREEZE) items")));

    private async Task SessionStepsAsync()
    {
        for (var i = dice.Next(5); i >= 0; i--) await SessionStepAsync();
        await EndPreparedAsync();
    }

    private async Task SessionStepAsync()
    {
        if (await sessions[dice.Next(sessions.Count)].StepAsync() is { } left) prepared.Add(left);
    }

    private async Task EndPreparedAsync()
    {
        if (prepared.Count == 0) return;
        var (transaction, name) = prepared[dice.Next(prepared.Count)];
        prepared.RemoveAll(p => p.Name == name);
        var commits = dice.Next(3) > 0;
        await OutsideAsync($"{(commits ? "COMMIT" : "ROLLBACK")} PREPARED '{name}'");
        if (commits) model.Commit(transaction);
        else model.RollBack(transaction);
    }

    private async Task OutsideAsync(string sql)
    {
        dice.Script.Add($"outside: {sql}");
        await stream.ExecuteAsync(sql);
    }

    /// <summary>All transactions end, one of them late; then topic, lake, table and model must be one.</summary>
    private async Task EndAsync()
    {
        while (prepared.Count > 0) await EndPreparedAsync();
        foreach (var session in sessions.Where(s => s.IsOpen)) await session.CommitAsync();
        await LateCommitAsync(sessions[0], sessions[1]);
        await poller.DrainAsync();
        await poller.StoreAsync();

        Assert.Equal(model.Current.Order(), await TableAsync());
        await stream.LakeShouldEqualTableAsync();
        MissedByPlainPoll = model.Current.Count(
            version => !poller.Plain.Versions.Any(v => v.Id == $"{version.Key}" && HistoryPoller.LabelOf(v.Name!) == version.Label));
    }

    private async Task LateCommitAsync(HistorySession late, HistorySession meanwhile)
    {
        await late.BeginAsync();
        await late.WriteAsync();
        await meanwhile.BeginAsync();
        await meanwhile.WriteAsync();
        await meanwhile.CommitAsync();
        await poller.DrainAsync();
        await late.CommitAsync();
    }

    private async Task<IEnumerable<(int, string)>> TableAsync() =>
        (await stream.Database.TextRowsAsync("SELECT id::text, name FROM items"))
            .Select(row => (int.Parse(row[0]!), HistoryPoller.LabelOf(row[1]!))).Order();

    public async ValueTask DisposeAsync()
    {
        foreach (var connection in connections) await connection.DisposeAsync();
        await stream.DisposeAsync();
    }
}
