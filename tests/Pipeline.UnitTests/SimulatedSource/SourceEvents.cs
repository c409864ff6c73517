namespace OrdersStream.UnitTests.SimulatedSource;

/// <summary>What a history may meet beside clients and a poller.</summary>
[Flags]
internal enum EventKinds
{
    None = 0,
    /// <summary>Prepared transactions.</summary>
    Prepare = 1,
    /// <summary>The table's files are replaced.</summary>
    Rewrite = 2,
    /// <summary>Tables become part of it, and leave it.</summary>
    Join = 4,
    /// <summary>Its trigger is off for a while.</summary>
    Guard = 8,
    /// <summary>Values read otherwise.</summary>
    Values = 16,
    /// <summary>The counter goes round.</summary>
    Jump = 32,
    /// <summary>Commits that were not on the disk are lost.</summary>
    Crash = 64,
    /// <summary>The server is stopped and started.</summary>
    Restart = 128,
    /// <summary>Its volume is put back.</summary>
    Restore = 256,
    /// <summary>The clock goes back.</summary>
    ClockBack = 512,
}

/// <summary>Brings events about, and lets the time pass.</summary>
internal sealed class SourceEvents(SourceHistory history, SourceClients clients)
{
    private const long Minute = 60 * SimulatedClock.Second;

    /// <summary>How far the clock goes back at most, and how long it may then take until a poll sees it: what the overlap covers.</summary>
    private const long BackMax = 50 * Minute;

    private readonly SimulatedServer server = history.Server;
    private readonly Random random = history.Random;
    private readonly SourceChanges changes = new(history, clients);
    private readonly EventKinds[] kinds = [.. Enum.GetValues<EventKinds>().Where(k => k != EventKinds.None && history.Kinds.HasFlag(k))];
    private readonly List<Volume> copies = [];
    private (long Until, long Number, int Looks)? unseenBack;
    private bool hasJumped;

    /// <summary>A quarter meet none, the others few of them.</summary>
    public static EventKinds Draw(Random random)
    {
        var drawn = EventKinds.None;
        if (random.Next(4) == 0) return drawn;
        for (var i = random.Next(1, 5); i > 0; i--) drawn |= (EventKinds)(1 << random.Next(10));
        // What was prepared before anybody captured leaves no bound.
        return drawn.HasFlag(EventKinds.Jump) ? drawn & ~EventKinds.Prepare : drawn;
    }

    /// <summary>Mostly little; a transaction shows its start soon.</summary>
    public void PassTime()
    {
        var ago = server.Open.Where(t => !t.IsShown).Select(t => server.Clock - t.Start).DefaultIfEmpty().Max();
        var by = random.Next(60) switch
        {
            0 => random.NextInt64(180 * Minute),
            < 4 => random.NextInt64(Minute),
            < 20 => random.NextInt64(2 * SimulatedClock.Second),
            _ => random.NextInt64(1, 5000),
        };
        if (ago + by > 4 * SimulatedClock.Second)
            foreach (var transaction in server.Open) transaction.IsShown = true;
        Pass(by);
    }

    public void Befall()
    {
        if (kinds.Length == 0 || random.Next(4) == 0)
        {
            server.Burn(random.Next(1, 4));
            return;
        }
        switch (kinds[random.Next(kinds.Length)])
        {
            case EventKinds.Prepare:
                clients.EndPrepared();
                break;
            case EventKinds.Jump:
                Jump();
                break;
            case EventKinds.Crash:
                if (random.Next(2) == 0) StartAnew("crashes");
                break;
            case EventKinds.Restart:
                if (random.Next(2) > 0) break;
                server.Stop();
                StartAnew("is restarted");
                break;
            case EventKinds.Restore:
                Restore();
                break;
            case EventKinds.ClockBack:
                ClockBack();
                break;
            case var kind:
                changes.Step(kind);
                break;
        }
    }

    public void EndChange(bool commits) => changes.End(commits);

    // Nobody does anything for so long.
    public void Jump()
    {
        clients.EndOpen();
        if (server.Running.Any() || history.Poller is { HasLock: true } or { IsTaking: true } or { IsInPoll: true }) return;
        // Without a time, or a bound, a frozen row and a new transaction may have the same 32 bits, and nothing tells them apart.
        var isTold = !history.HidesStarts && !server.HasNulls;
        if (unseenBack is not null || (!isTold && hasJumped)) return;
        hasJumped = true;
        var near = (ulong)random.Next(1, 40);
        var count = (isTold ? random.Next(7) : 1) switch
        {
            6 => (3UL << 29) - near,
            0 => (1UL << 31) - near,
            1 => (1UL << 31) + near,
            2 or 3 => (1UL << 32) - near,
            4 => (1UL << 32) + near,
            _ => (ulong)random.NextInt64(1L << 34),
        };
        // Not even the fastest server does so many sooner.
        server.Clock += random.NextInt64(6 * 60 * Minute, 60 * 24 * 60 * Minute);
        server.Jump(count);
        history.Saw($"the counter is {count} further, at {server.NextXid} ({(uint)server.NextXid})");
    }

    private void Restore()
    {
        if (copies.Count == 0 || random.Next(2) == 0)
        {
            if (random.Next(2) == 0) server.Checkpoint();
            copies.Add(server.Copy());
            history.Saw("the volume is copied");
            return;
        }
        StartAnew("has a copy of its volume put back", copies[random.Next(copies.Count)], isPromotion: random.Next(4) == 0);
        if (random.Next(2) == 0) return;
        server.Burn(random.Next(60));
        server.LogMore((ulong)random.Next(2000));
        server.Checkpoint();
    }

    private void StartAnew(string what, Volume? volume = null, bool isPromotion = false)
    {
        var before = server.Contents;
        Pass(random.NextInt64(SimulatedClock.Second, Minute));
        server.Start(volume, isPromotion);
        changes.Died();
        history.Published.Lost(before, server.Contents, history.Poller.SeenReading, isCrash: volume is null);
        history.Saw($"the server {what}, and goes on at {server.NextXid}");
    }

    private void ClockBack()
    {
        if (unseenBack is not null) return;
        server.Clock -= random.NextInt64(BackMax);
        history.Saw($"the clock goes back to {SimulatedClock.Text(server.Clock)}");
        var ahead = history.Poller.TakenAt.Select(SimulatedClock.Micros).Where(t => t > server.Clock).ToList();
        if (ahead.Count == 0) return;
        // What is seen with a snapshot is written down with the window.
        var number = history.Poller.Numbers.Taken + (history.Poller.HasSnapshot ? 1 : 0);
        unseenBack = (Math.Min(ahead.Min(), server.Clock + BackMax), number, history.Poller.Looks);
    }

    // It does not catch up before a poll has seen that it went back: what is assumed of it.
    private void Pass(long by)
    {
        if (unseenBack is { } back && (history.Poller.Numbers.Saved > back.Number || history.Poller.Looks > back.Looks)) unseenBack = null;
        server.Clock = Math.Min(server.Clock + by, unseenBack is { } unseen ? unseen.Until - 1 : long.MaxValue);
    }
}
