using Npgsql;

namespace OrdersStream.ReliabilityTests.Source;

/// <summary>One client of the source: each statement goes to the server and, once that has done it, into the model.</summary>
internal sealed class HistorySession(NpgsqlConnection connection, HistoryModel model, HistoryDice dice, string name)
{
    /// <summary>Subtransactions of one backend that others see without looking into pg_subtrans.</summary>
    private const int CachedSubtransactions = 64;

    // What a row's updated_at may be: never earlier than its transaction's start. The last one is the same for many transactions.
    private static readonly string[] Clocks = ["now()", "clock_timestamp()", "date_trunc('second', now()) + interval '1 s'"];

    private ModelTransaction? transaction;

    public bool IsOpen => transaction is not null;

    /// <summary>Any statement that a client may send now.</summary>
    /// <returns>A transaction that was prepared, and its name.</returns>
    public async Task<(ModelTransaction, string)?> StepAsync()
    {
        if (transaction is not { } t)
        {
            await dice.Of((4, BeginAsync), (2, () => AloneAsync(WriteAsync)), (1, () => AloneAsync(BlockAsync)));
            return null;
        }
        if (dice.Next(25) == 0) return await PrepareAsync(t);
        await dice.Of(
            (8, WriteAsync), (3, SavepointAsync), (t.Savepoints > 0 ? 3 : 0, RollBackToAsync), (t.Savepoints > 0 ? 2 : 0, ReleaseAsync),
            (3, LockAsync), (3, BlockAsync), (1, ManyBlocksAsync), (1, FailAsync), (4, CommitAsync), (1, RollBackAsync));
        return null;
    }

    public async Task BeginAsync()
    {
        await ExecuteAsync("BEGIN");
        transaction = model.Begin();
    }

    public Task WriteAsync() => WriteAsync(null);

    /// <param name="clock">What the rows' time is; null: one that is never earlier than the transaction.</param>
    public async Task WriteAsync(string? clock)
    {
        var (sql, rows) = Write(clock);
        if (rows > 0) Assert.Equal(rows, await ExecuteAsync(sql));
    }

    public async Task CommitAsync()
    {
        await ExecuteAsync("COMMIT");
        model.Commit(End());
    }

    public async Task RollBackAsync()
    {
        await ExecuteAsync("ROLLBACK");
        model.RollBack(End());
    }

    private async Task AloneAsync(Func<Task> statement)
    {
        // One statement without BEGIN is a transaction too.
        transaction = model.Begin();
        await statement();
        model.Commit(End());
    }

    private async Task<(ModelTransaction, string)> PrepareAsync(ModelTransaction t)
    {
        var prepared = dice.NextName($"{connection.Database}-");
        await ExecuteAsync($"PREPARE TRANSACTION '{prepared}'");
        End();
        return (t, prepared);
    }

    private async Task SavepointAsync()
    {
        transaction!.Savepoint();
        await ExecuteAsync($"SAVEPOINT s{transaction.Savepoints}");
    }

    private async Task RollBackToAsync()
    {
        var savepoint = 1 + dice.Next(transaction!.Savepoints);
        await ExecuteAsync($"ROLLBACK TO s{savepoint}");
        transaction.RollBackTo(savepoint);
    }

    private async Task ReleaseAsync()
    {
        var savepoint = 1 + dice.Next(transaction!.Savepoints);
        await ExecuteAsync($"RELEASE s{savepoint}");
        transaction.Release(savepoint);
    }

    private async Task LockAsync()
    {
        var strength = (RowLock)dice.Next(4);
        var keys = Keys(strength).Where(key => model.Sees(transaction!, key)).ToList();
        foreach (var key in keys) transaction!.Hold(key, strength);
        var words = strength switch
        {
            RowLock.KeyShare => "KEY SHARE",
            RowLock.Share => "SHARE",
            RowLock.NoKeyUpdate => "NO KEY UPDATE",
            _ => "UPDATE",
        };
        // In a block, which is over with the statement. A SELECT of its own keeps its last page pinned until the session's next statement,
        // and VACUUM (FREEZE) waits for that.
        await ExecuteAsync($"DO $$ BEGIN PERFORM FROM items WHERE id = ANY ({Array(keys)}) FOR {words}; END $$");
    }

    /// <summary>A block that catches an error is a subtransaction; what it wrote before the error is undone.</summary>
    private async Task BlockAsync()
    {
        var before = Write().Sql;
        transaction!.Savepoint();
        var undone = Write().Sql;
        transaction.RollBackTo(transaction.Savepoints);
        var instead = Write().Sql;
        transaction.Release(transaction.Savepoints);
        await ExecuteAsync(
            $"DO $$ BEGIN {before} BEGIN {undone} PERFORM 1 / 0; EXCEPTION WHEN division_by_zero THEN {instead} END; END $$");
    }

    private async Task ManyBlocksAsync()
    {
        if (Keys(RowLock.NoKeyUpdate) is not [var key, ..] || !model.Sees(transaction!, key)) return;
        var label = dice.NextName("v");
        transaction!.Write(key, label);
        await ExecuteAsync(
            $"DO $$ BEGIN FOR i IN 1..{CachedSubtransactions + 6} LOOP BEGIN {Update([key], label, "now()")} EXCEPTION WHEN "
            + "division_by_zero THEN NULL; END; END LOOP; END $$");
    }

    /// <summary>An error outside any block: only a savepoint saves what was before it.</summary>
    private async Task FailAsync()
    {
        await Assert.ThrowsAsync<PostgresException>(() => ExecuteAsync("SELECT 1 / 0"));
        await (transaction!.Savepoints > 0 ? RollBackToAsync() : RollBackAsync());
    }

    /// <summary>Writes one to three rows of the model, and says how the server is to.</summary>
    private (string Sql, int Rows) Write(string? dated = null)
    {
        var (label, clock) = (dice.NextName("v"), dated ?? Clocks[dice.Next(Clocks.Length)]);
        var there = Keys(RowLock.NoKeyUpdate).ToLookup(key => model.Sees(transaction!, key));
        foreach (var key in there[true].Concat(there[false])) transaction!.Write(key, label);
        var sql = "";
        if (there[true].Any()) sql += Update(there[true], label, clock);
        if (there[false].Any())
            sql += $"INSERT INTO items (id, name, updated_at) SELECT k, {Name(label)}, {clock} FROM unnest({Array(there[false])}) k;";
        return (sql, there.Sum(keys => keys.Count()));
    }

    private static string Update(IEnumerable<int> keys, string label, string clock) =>
        $"UPDATE items SET name = {Name(label)}, updated_at = {clock} WHERE id = ANY ({Array(keys)});";

    // Long enough that a page holds few rows.
    private static string Name(string label) => $"'{label} ' || repeat('x', 200)";

    private static string Array(IEnumerable<int> keys) => $"'{{{string.Join(',', keys)}}}'::bigint[]";

    private List<int> Keys(RowLock strength) =>
        [
            .. Enumerable.Range(0, 1 + dice.Next(3)).Select(_ => dice.NextKey()).Distinct()
                .Where(key => model.MayHold(transaction!, key, strength))];

    private async Task<int> ExecuteAsync(string sql)
    {
        dice.Script.Add($"{name}: {sql}");
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
    }

    private ModelTransaction End()
    {
        var ended = transaction!;
        transaction = null;
        return ended;
    }
}
