namespace OrdersStream.UnitTests.SimulatedSource;

/// <summary>Those who write: a few sessions, one of which is long at it, and short transactions between.</summary>
internal sealed class SourceClients(SourceHistory history)
{
    private const int Sessions = 4;
    private const int SlackForMoment = 6;

    private readonly SimulatedServer server = history.Server;
    private readonly Random random = history.Random;
    private readonly SimulatedTransaction?[] sessions = new SimulatedTransaction?[Sessions];
    private readonly int keys = history.Random.Next(3, 10);
    private int version;

    public int NextVersion() => ++version;

    /// <summary>Rows that were there before anybody captured.</summary>
    public void Load()
    {
        for (var loads = random.Next(3); loads > 0; loads--)
        {
            var transaction = server.Begin();
            for (var key = 1; key <= keys; key++)
                if (random.Next(3) > 0) Write(transaction, key);
            server.Commit(transaction);
            server.Clock += random.NextInt64(1, 400 * SimulatedClock.Second);
        }
    }

    public void Step()
    {
        if (random.Next(3) == 0)
        {
            WriteAtOnce();
            return;
        }
        var i = random.Next(Sessions);
        if (sessions[i] is not { } transaction)
        {
            sessions[i] = transaction = server.Begin(history.Kinds.HasFlag(EventKinds.Crash) && random.Next(3) == 0);
            transaction.IsShown = random.Next(3) > 0;
            history.Saw($"session {i} begins");
            return;
        }
        transaction.IsShown = true;
        if (!StepTransaction(i, transaction)) sessions[i] = null;
    }

    /// <returns>False: it has ended.</returns>
    private bool StepTransaction(int i, SimulatedTransaction transaction)
    {
        switch (random.Next(i == 0 ? 40 : 14))
        {
            case 0 or 1:
                history.Saw($"session {i} commits {transaction.Id}");
                server.Commit(transaction);
                return false;
            case 2:
                history.Saw($"session {i} rolls {transaction.Id} back");
                server.RollBack(transaction);
                return false;
            case 3 when history.Kinds.HasFlag(EventKinds.Prepare) && transaction.Id is not null:
                history.Saw($"session {i} prepares {transaction.Id}");
                server.Prepare(transaction);
                return false;
            case 4 or 5 when transaction.Savepoints < 3:
                transaction.Savepoint();
                return true;
            case 6 when transaction.Savepoints > 0:
                transaction.Release();
                return true;
            case 7 when transaction.Savepoints > 0:
                server.RollBackToSavepoint(transaction);
                return true;
            default:
                TryWrite(transaction, $"session {i}");
                return true;
        }
    }

    private void WriteAtOnce()
    {
        var transaction = server.Begin(history.Kinds.HasFlag(EventKinds.Crash) && random.Next(3) == 0);
        transaction.IsShown = true;
        for (var rows = random.Next(1, 3); rows > 0; rows--) TryWrite(transaction, "one");
        if (random.Next(8) == 0) server.RollBack(transaction);
        else server.Commit(transaction);
    }

    private void TryWrite(SimulatedTransaction transaction, string who)
    {
        var key = NextKey();
        if (!server.MayWrite(transaction, key)) return;
        Write(transaction, key);
        history.Saw($"{who} writes key {key}, v{version} ({(uint)transaction.Writes.Last(r => r.Key == key).Id})");
    }

    /// <summary>Those who are in a transaction write rows of any time, and may commit them much later.</summary>
    public void WriteDatedBack()
    {
        foreach (var transaction in sessions.OfType<SimulatedTransaction>())
        {
            var key = NextKey();
            if (!server.MayWrite(transaction, key)) continue;
            Write(transaction, key, server.Clock - random.NextInt64(48 * 3600 * SimulatedClock.Second));
            history.Saw($"key {key} is dated back, v{version} ({(uint)transaction.Writes.Last(r => r.Key == key).Id})");
        }
    }

    private long NextKey()
    {
        var there = server.Contents.Rows;
        return random.Next(4) == 0 && there.Count > 0 ? there.Keys.ElementAt(random.Next(there.Count)) : random.Next(1, keys + 1);
    }

    /// <summary>Writes a row as the product assumes that rows are written.</summary>
    public void Write(SimulatedTransaction transaction, long key) => Write(transaction, key, TimeOf(transaction));

    public void Write(SimulatedTransaction transaction, long key, long? time)
    {
        var table = server.Contents.Rows.TryGetValue(key, out var row) ? row.Table : SimulatedCatalogue.Root;
        transaction.Write(new RowVersion(key, time, server.IdOf(transaction), table, NextVersion()));
    }

    // By a trigger from the clock; or by clients: from their transaction's start, or dated back, as far as the slack covers it.
    private long? TimeOf(SimulatedTransaction transaction)
    {
        // One that was open as the clock went back writes nothing below its start: that is assumed of it.
        var clock = Math.Max(server.Clock, transaction.Start);
        return history.IsGuarded ? clock : random.Next(6) switch
        {
            0 or 1 => transaction.Start,
            2 => clock,
            3 when server.HasNulls => null,
            4 => clock / SimulatedClock.Second * SimulatedClock.Second + SimulatedClock.Second,
            _ => transaction.Start - random.NextInt64((60 - SlackForMoment) * SimulatedClock.Second),
        };
    }

    public void EndPrepared()
    {
        var prepared = server.Contents.Prepared;
        if (prepared.Count == 0) return;
        var one = prepared[random.Next(prepared.Count)];
        var commits = random.Next(3) > 0;
        history.Saw($"prepared {one.Id} is {(commits ? "committed" : "rolled back")}");
        server.EndPrepared(one, commits);
    }

    public void Died() => Array.Clear(sessions);

    public void EndAll()
    {
        while (server.Contents.Prepared.Count > 0) EndPrepared();
        EndOpen();
    }

    public void EndOpen()
    {
        foreach (var transaction in sessions.OfType<SimulatedTransaction>())
        {
            history.Saw($"{transaction.Id} commits");
            server.Commit(transaction);
        }
        Died();
    }

    /// <summary>One writes, another one does and commits, it is polled, and the first one commits.</summary>
    public void LateCommit(Action poll)
    {
        var late = server.Begin();
        late.IsShown = true;
        TryWrite(late, "late");
        WriteAtOnce();
        for (var steps = random.Next(60); steps > 0; steps--) poll();
        history.Saw($"late {late.Id} commits");
        server.Commit(late);
    }
}
