using Microsoft.Extensions.Logging;
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

    private const string GuardOn =
        "CREATE OR REPLACE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS "
        + "'BEGIN NEW.updated_at := clock_timestamp(); RETURN NEW; END';";

    private const string GuardOff = "CREATE OR REPLACE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';";

    private const string Guard =
        GuardOn + "CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON items FOR EACH ROW EXECUTE FUNCTION guard();";

    /// <summary>What no transaction would write that the trigger sees.</summary>
    private const string LongAgo = "now() - interval '1 day'";

    private readonly PostgresServer server;
    private readonly bool isGuarded;

    private History(TestStream stream, HistoryDice dice, bool holdsBack, bool isGuarded, PostgresServer server)
    {
        (this.stream, this.dice, this.isGuarded, this.server) = (stream, dice, isGuarded, server);
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
        // In every third a trigger sets the time, and is passed by at times.
        var isGuarded = dice.Next(3) == 0;
        var stream = await TestStream.CreateAsync(postgres, kafka, TestStream.Items + (isGuarded ? Guard : ""), configure: o => o with
        {
            Postgres = o.Postgres with { PageBytes = 1024, SeenTransactions = holdsBack ? 3 : o.Postgres.SeenTransactions },
        });
        var history = new History(stream, dice, holdsBack, isGuarded, postgres);
        await history.OpenSessionsAsync();
        return history;
    }

    private async Task OpenSessionsAsync()
    {
        foreach (var connection in connections) await connection.DisposeAsync();
        connections.Clear();
        sessions.Clear();
        for (var i = 1; i <= Sessions; i++)
        {
            var connection = await stream.Database.OpenSessionAsync();
            connections.Add(connection);
            // A statement that waits is a fault of the model.
            await connection.ExecuteAsync("SET lock_timeout = '20s'");
            sessions.Add(new HistorySession(connection, model, dice, $"session {i}"));
        }
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
            var log = stream.Log.Lines.Where(l => l.Level >= LogLevel.Information).Select(l => $"{l.Id} {l.Message}").TakeLast(60);
            throw new InvalidOperationException(
                $"{e.Message}\nthe last steps:\n{string.Join('\n', dice.Script.TakeLast(60))}\n"
                + $"the log's end:\n{string.Join('\n', log)}", e);
        }
    }

    private Task StepAsync() => dice.Of(
        (40, SessionStepAsync), (5, poller.DrainAsync), (3, poller.PollOnePageAsync), (4, () => poller.PollWhileAsync(SessionStepsAsync)),
        (1, poller.StoreAsync), (1, poller.RestartAsync), (1, poller.CrashAsync), (2, EndPreparedAsync),
        (2, () => OutsideAsync("VACUUM (FREEZE) items")), (1, BehindTheHorizonAsync),
        (isGuarded ? 1 : 0, PastTheGuardAsync));

    /// <summary>One writes while the trigger's function sets nothing, and may commit long after it is put right.</summary>
    private async Task PastTheGuardAsync()
    {
        var session = sessions[dice.Next(sessions.Count)];
        if (!session.IsOpen) await session.BeginAsync();
        await OutsideAsync(GuardOff);
        await session.WriteAsync(LongAgo);
        await OutsideAsync(GuardOn);
        // Committed while a window is read, such a row is in it by its time, and in the next by its id.
        poller.AlwaysAllowAgain();
    }


    /// <summary>What changes rows without a newer id or time, when nobody holds the table.</summary>
    private async Task BehindTheHorizonAsync()
    {
        await EndTransactionsAsync();
        await dice.Of(
            (2, () => RewriteAsync("ALTER TABLE items ALTER COLUMN name TYPE text USING name || ''")),
            (2, () => RewriteAsync("CREATE TABLE kept AS TABLE items; TRUNCATE items; INSERT INTO items TABLE kept; DROP TABLE kept")),
            (1, () => OutsideAsync("VACUUM FULL items")), (2, JoinAsync), (1, () => RestartServerAsync(server.RestartAsync)),
            (1, () => RestartServerAsync(server.CrashAsync)), (1, GoRoundAsync), (isGuarded ? 2 : 0, GuardIsOffAsync));
    }

    private async Task RewriteAsync(string sql)
    {
        await OutsideAsync(sql);
        poller.AllowAgain();
    }

    private async Task GuardIsOffAsync()
    {
        var label = dice.NextName("g");
        var key = 200_000 + int.Parse(label[1..]);
        await OutsideAsync(
            "BEGIN; ALTER TABLE items DISABLE TRIGGER guard; "
            + $"INSERT INTO items SELECT {key}, '{label} past the guard', {LongAgo}; ALTER TABLE items ENABLE TRIGGER guard; COMMIT");
        var passing = model.Begin();
        passing.Write(key, label);
        model.Commit(passing);
        // All rows are looked at then, and of those that are older than the slack no horizon before remembers who wrote them.
        poller.AlwaysAllowAgain();
    }

    /// <summary>
    /// Four billion transactions later, all rows are frozen, and their ids look new. Nothing is half read then: a window that was begun
    /// before so many would not be gone on with.
    /// </summary>
    private async Task GoRoundAsync()
    {
        await poller.DrainAsync();
        var ids = await stream.Database.TextRowsAsync(
            "SELECT (pg_current_xact_id()::text::bigint >> 32)::text, min(xmin::text::bigint)::text FROM items");
        await OutsideAsync("VACUUM (FREEZE)");
        foreach (var database in new[] { "template1", "postgres" }) await server.FreezeAsync(database);
        var next = Math.Max(1000, long.Parse(ids[0][1] ?? "1000") - 20);
        await RestartServerAsync(() => server.WhileStoppedAsync(
            folder => ServerFiles.SetNextTransactionAsync(folder, int.Parse(ids[0][0]!) + 1, next)));
        // What the catalogue says of how far all is frozen lies in the future now, and would be held against new rows.
        await OutsideAsync("VACUUM (FREEZE)");
    }

    /// <summary>A table with rows of long ago becomes part of it; sometimes a poll has seen what wrote them.</summary>
    private async Task JoinAsync()
    {
        var (table, label) = (dice.NextName("joining"), dice.NextName("j"));
        var key = 100_000 + int.Parse(label[1..]);
        await OutsideAsync(
            $"CREATE TABLE {table} (LIKE items INCLUDING ALL); "
            + $"INSERT INTO {table} SELECT {key}, '{label} joined', now() - interval '1 year'");
        if (dice.Next(2) == 0) await poller.DrainAsync();
        await OutsideAsync($"ALTER TABLE {table} INHERIT items");
        var joining = model.Begin();
        joining.Write(key, label);
        model.Commit(joining);
    }

    private async Task RestartServerAsync(Func<Task> restartAsync)
    {
        dice.Script.Add($"the server: {restartAsync.Method.Name}");
        await restartAsync();
        stream.Database.ForgetSessions();
        await poller.RestartAsync();
        await OpenSessionsAsync();
        // The newest rows that were seen may all be others by now: then those of the overlap come again.
        poller.AllowAgain();
    }

    private async Task EndTransactionsAsync()
    {
        while (prepared.Count > 0) await EndPreparedAsync();
        foreach (var session in sessions.Where(s => s.IsOpen)) await session.CommitAsync();
    }

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
        await EndTransactionsAsync();
        await LateCommitAsync(sessions[0], sessions[1]);
        await poller.DrainAsync();
        await poller.StoreAsync();

        Assert.Equal(model.Current.Order(), await TableAsync());
        if (poller.MayRepeat) await stream.NewestShouldEqualTableAsync();
        else await stream.LakeShouldEqualTableAsync();
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
