using System.Collections.Immutable;
using OrdersStream.Postgres;

namespace OrdersStream.UnitTests.SimulatedSource;

/// <summary>
/// One history: clients, a poller and what befalls them, step by step as a seed decides. In the end all transactions are ended and the
/// poller drained, and the newest version that was published of each row must be the table's (invariants 1 and 2).
/// </summary>
internal sealed class SourceHistory
{
    private const int DrainStepsMax = 3_000;

    private readonly SourceClients clients;
    private readonly SourceEvents events;
    private readonly PublishedVersions published = new();
    private readonly SimulatedPoller poller;
    private IEnumerator<string> session;
    private int starts;

    public SourceHistory(int seed)
    {
        Random = new Random(seed);
        Kinds = SourceEvents.Draw(Random);
        IsGuarded = Random.Next(2) == 0;
        HoldsBack = Random.Next(4) == 0;
        HidesStarts = Random.Next(12) == 0;
        Server = new SimulatedServer(FirstId(), IsGuarded, hasNulls: !IsGuarded && Random.Next(3) == 0);
        clients = new SourceClients(this);
        events = new SourceEvents(this, clients);
        poller = new SimulatedPoller(this);
        session = poller.Run().GetEnumerator();
    }

    public Random Random { get; }
    public SimulatedServer Server { get; }
    public EventKinds Kinds { get; }
    public bool IsGuarded { get; }
    public bool HoldsBack { get; }
    public bool HidesStarts { get; }

    /// <summary>How often rows were held back, since too many transactions were seen.</summary>
    public int HeldBack { get; set; }

    public SimulatedPoller Poller => poller;
    public PublishedVersions Published => published;

    /// <summary>The steps so far.</summary>
    public List<string> Steps { get; } = [];

    public void Saw(string what) => Steps.Add(what);

    public void Run()
    {
        clients.Load();
        if (Kinds.HasFlag(EventKinds.Jump) && Random.Next(2) == 0) events.Jump();
        var steps = Random.Next(20, 160);
        for (var i = 0; i < steps; i++) Step();
        Calm();
        published.Check(Server.Contents);
    }

    private void Step()
    {
        events.PassTime();
        switch (Random.Next(100))
        {
            case < 48:
                StepPoller();
                break;
            case < 88:
                clients.Step();
                break;
            case < 90:
                Server.Flush();
                break;
            case < 91:
                Server.Checkpoint();
                break;
            case < 93:
                Saw("the poller dies");
                RestartPoller();
                break;
            default:
                events.Befall();
                break;
        }
        if (Server.Starts == starts) return;
        starts = Server.Starts;
        clients.Died();
        RestartPoller();
    }

    private void StepPoller()
    {
        session.MoveNext();
        Saw($"poller: {session.Current}");
    }

    private void RestartPoller()
    {
        poller.Die();
        session = poller.Run().GetEnumerator();
    }

    // All end, one late; then nothing but the poller takes a step.
    private void Calm()
    {
        Saw("calm");
        events.EndChange(commits: true);
        clients.EndAll();
        clients.LateCommit(StepPoller);
        poller.IdleAt = null;
        for (var i = 0; poller.IdleAt != Server.Contents; i++)
        {
            if (i > DrainStepsMax) throw new InvalidOperationException("the poller never comes to rest");
            StepPoller();
        }
    }

    public void Publish(List<(RowVersion Row, string Reading)> page)
    {
        foreach (var (row, reading) in page)
        {
            Saw($"  published: key {row.Key}, v{row.Version} ({row.Xmin})");
            published.Add(row, reading);
        }
    }

    public void Planned(WindowPlan plan, Rewind rewind, bool isRepeated)
    {
        var window = plan.Window;
        Saw($"  window {window.Number}: H {window.To.Xmin} ({(uint)window.To.Xmin}), seen {string.Join(',', window.To.Seen)}, "
            + $"L {window.To.LowerBound:HH:mm:ss.ffffff}; from {window.From?.Xmin}, bound {window.LowerBound:HH:mm:ss.ffffff} "
            + $"{rewind} {plan.Reason} {plan.AnyTimeReason}");
        // Who passed the trigger by, and commits while the window is read, writes rows that are in it by their time, and in the next by id.
        var isUnguarded = window.To.UnguardedBelow is not null;
        if (isRepeated || plan.IsReread || plan.AnyTimeReason.Length > 0 || isUnguarded) published.MayRepeat = true;
    }

    /// <summary>The poller says that nothing is left.</summary>
    public void IsIdle()
    {
        if (!HoldsBack && poller.IdleAt != Server.Contents) published.Check(Server.Contents);
    }

    /// <summary>A window will be read to its end, whatever comes.</summary>
    public void IsKept(Window window)
    {
        if (window.From is null) published.ReadAgain(Server.Contents, window.LowerBound);
    }

    // Most begin where ids begin again, or where they look negative.
    private ulong FirstId() => Random.Next(4) switch
    {
        0 => 1000,
        1 => (1UL << 32) - (ulong)Random.Next(1, 60),
        2 => (1UL << 31) - (ulong)Random.Next(1, 60),
        _ => (3UL << 32) + (ulong)Random.NextInt64(3, 1L << 32),
    };
}
