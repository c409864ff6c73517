using System.Collections.Immutable;
using System.Globalization;
using OrdersStream.Capture;
using OrdersStream.Postgres;
using OrdersStream.Rows;

namespace OrdersStream.UnitTests.SimulatedSource;

/// <summary>
/// One process that captures, as CaptureSession, HorizonReader and PageReader do: between any two of their statements others may take a
/// step. Every decision is the product's; what it asks of the server the model answers, by the very text where there is one.
/// </summary>
internal sealed class SimulatedPoller(SourceHistory history)
{
    private static readonly TimeSpan Overlap = TimeSpan.FromHours(1);

    private readonly SimulatedServer server = history.Server;
    private readonly Random random = history.Random;
    private readonly int pageRowsMax = history.Random.Next(1, 5);
    private readonly int seenMax = history.HoldsBack ? history.Random.Next(1, 3) : 100_000;
    private DateTime takingAt;
    private long takenWindow = -1;
    private Watermark saved = Watermark.Start(Postgres.Horizons.Source, Postgres.Horizons.Topic);
    private Watermark watermark = Watermark.Start(Postgres.Horizons.Source, Postgres.Horizons.Topic);

    /// <summary>Windows that were taken, by what they were.</summary>
    public int Windows { get; private set; }

    /// <summary>The contents in which it last found nothing more to do.</summary>
    public Contents? IdleAt { get; set; }

    /// <summary>Clocks of the horizons from which it may go on: once the clock has gone back it must not pass them unseen.</summary>
    public IEnumerable<DateTime> TakenAt => new[] { saved, watermark }
        .SelectMany(w => new[] { w.Horizon, w.Window?.From, w.Window?.To }).OfType<Horizon>().Select(h => h.TakenAt)
        .Concat(IsTaking ? [takingAt] : []);

    /// <summary>The number of the last window, and of the last that its position tells of.</summary>
    public (long Taken, long Saved) Numbers => (watermark.WindowNumber, saved.WindowNumber);

    /// <summary>How often it looked at the clock, and wrote down what it saw.</summary>
    public int Looks { get; private set; }

    /// <summary>It has the snapshot of a horizon, and the clock with it.</summary>
    public bool HasSnapshot => IsTaking && HasLock;

    /// <summary>How values read at the last horizon.</summary>
    public string SeenReading => string.Join(' ', ((saved.Window?.To ?? saved.Horizon)?.Facts?.Values.AsEnumerable() ?? [])
        .Where(v => v.Key[0] == 'a' || v.Key == SimulatedCatalogue.FirstLabel).Select(v => v.Value));

    /// <summary>It is between the first and the last statement of a horizon.</summary>
    public bool IsTaking { get; private set; }

    /// <summary>It is in the midst of a poll that reads pages, which no server does a billion transactions in.</summary>
    public bool IsInPoll { get; private set; }

    /// <summary>It is in a transaction.</summary>
    public bool HasLock { get; private set; }

    /// <summary>One session: until the process dies, or the server does.</summary>
    public IEnumerable<string> Run()
    {
        var (starts, startedAt) = (server.Starts, server.StartedAt);
        (HasLock, IsTaking, takenWindow) = (false, false, -1);
        // As the position in the topic is read back.
        watermark = random.Next(4) == 0 ? Watermark.FromJson(saved.ToJson()) : saved;
        var timeline = server.Timeline;
        yield return "opens a session";
        while (true)
        {
            Window? window = null;
            foreach (var step in TakeWindow(startedAt, timeline, w => window = w)) yield return step;
            if (window is null)
            {
                history.IsIdle();
                IdleAt = server.Contents;
                yield return "finds nothing";
                continue;
            }
            foreach (var step in ReadPages(window)) yield return step;
        }
    }

    /// <summary>The window in progress, or a new one.</summary>
    private IEnumerable<string> TakeWindow(DateTime startedAt, string timeline, Action<Window> taken)
    {
        var isOfAnotherTimeline = watermark.Source.Timeline != timeline;
        bool IsOfThisTime(Horizon h) => !isOfAnotherTimeline && h.ServerStarted == startedAt;
        Looks++;
        var seeing = watermark.Seeing(SimulatedClock.Time(server.Clock));
        if (seeing != watermark) saved = watermark = seeing;
        var isTooOld = WindowPlan.IsTooOld(watermark.Window, server.TakeSnapshot().Xmax);
        if (!isTooOld && watermark.Window is { } inProgress && IsOfThisTime(inProgress.To))
        {
            taken(inProgress);
            yield break;
        }
        var last = watermark.Window?.From ?? watermark.Horizon;
        if (watermark.Window is null && last is not null && takenWindow == watermark.WindowNumber && IsOfThisTime(last)
            && server.TakeSnapshot().Text == last.Snapshot)
            yield break;

        var table = server.Table;
        yield return "reads the catalogue";
        var newest = watermark.Window?.To ?? watermark.Horizon;
        var again = newest is null ? null
            : IsOfThisTime(newest) ? new SeenAgain(newest, Rewind.None)
            : AfterRestart(table, newest, startedAt, isOfAnotherTimeline);
        var isUndone = newest is not null && !IsOfThisTime(newest) && newest.Newest!.Value.Any(IsUndone);
        if (!isTooOld && watermark.Window is { } stopped && again?.Left is { } goesOn)
        {
            if (isUndone) throw new InvalidOperationException("a window is gone on with, of whose rows some are undone");
            watermark = watermark with { Window = stopped with { To = goesOn } };
            history.Saw($"  window {stopped.Number} goes on: H {goesOn.Xmin} ({(uint)goesOn.Xmin})");
            taken(watermark.Window);
            yield break;
        }

        var known = watermark.Window is null ? again?.Left : isTooOld && last is not null && IsOfThisTime(last) ? last : null;
        yield return "takes a horizon";
        (IsTaking, takingAt) = (true, DateTime.MinValue);
        Horizon to = null!;
        var change = TableChange.None;
        foreach (var step in TakeHorizon(table, known, startedAt, (h, c) => (to, change) = (h, c))) yield return step;
        IsTaking = false;
        var onItsDisk = (watermark.Window?.To ?? last)?.Lsn ?? 0;
        var rewind = to.Lsn < onItsDisk && !isOfAnotherTimeline ? Rewind.BehindItsDisk
            : known is not null ? Rewind.None
            : again is { Rewind: not Rewind.None } ? again.Rewind : Rewind.Some;
        var plan = WindowPlan.Next(watermark.WindowNumber + 1, known ?? last, to, change, rewind, Overlap, watermark.Window);
        if (isUndone && plan.Window is not { From: null, LowerBound: null })
            throw new InvalidOperationException("rows that were captured are undone, and those before them are not read");
        // What reads as it did is no reason, however new its row of the catalogue seems.
        if (server.Starts == 0 && plan.Reason.Contains("label", StringComparison.Ordinal) && !history.Kinds.HasFlag(EventKinds.Jump)
            && last?.Facts?.Values.All(v => to.Facts!.Values.GetValueOrDefault(v.Key, v.Value) == v.Value) == true)
            throw new InvalidOperationException($"all rows are read again: {plan.Reason}");
        var isRepeated = (last is not null || watermark.Window is not null) && rewind != Rewind.None;
        watermark = watermark.Begin(plan.Window) with { Source = watermark.Source with { Timeline = timeline } };
        takenWindow = plan.Window.Number;
        Windows++;
        history.Planned(plan, rewind, isRepeated);
        taken(plan.Window);
    }

    private SeenAgain AfterRestart(SourceTable table, Horizon horizon, DateTime startedAt, bool isOfAnotherTimeline)
    {
        var snapshot = server.TakeSnapshot();
        var newest = horizon.WitnessesOf(table)!.Value;
        var there = newest.IsEmpty ? [] : Select(HorizonQueries.Witnesses(table, newest), snapshot).ConvertAll(WitnessOf);
        var again = (horizon with { Newest = newest }).AfterRestart(there, isOfAnotherTimeline ? horizon.Lsn : snapshot.Lsn, startedAt);
        if (isOfAnotherTimeline && again.Rewind is Rewind.None or Rewind.Some) again = new(null, Rewind.Parted);
        // Ids above the newest witness tell nothing any more.
        if (again.Left?.Xmin != horizon.Xmin || again.Left.Seen.Length != horizon.Seen.Length) history.Published.MayRepeat = true;
        return again;
    }

    private bool IsUndone(RowWitness witness) =>
        !server.Contents.Rows.TryGetValue(long.Parse(witness.Key!.Value[0], CultureInfo.InvariantCulture), out var row)
        || row.Time < SimulatedClock.Read(witness.Timestamp);

    /// <summary>In the order of HorizonReader's statements, which is the proof that nothing is missed.</summary>
    private IEnumerable<string> TakeHorizon(SourceTable table, Horizon? previous, DateTime startedAt, Action<Horizon, TableChange> taken)
    {
        var clock = takingAt = SimulatedClock.Time(server.Clock);
        yield return "the clock is read";
        var oldest = server.OldestStart is { } start ? SimulatedClock.Time(start) : (DateTime?)null;
        var isHidden = history.HidesStarts && server.Open.Any();
        yield return "the oldest start is read";
        var xids = server.Contents.Prepared.Select(t => (uint)t.Id!.Value).ToList();
        yield return "the prepared ones are read";
        previous = previous?.Before(clock, Overlap);
        var prepared = xids.ToImmutableSortedDictionary(x => x, x => Horizon.BoundOfPrepared(x, previous));

        while (server.IsLocked) yield return "waits for the table";
        Lock();
        var snapshot = server.TakeSnapshot();
        table = SimulatedServer.Orders(snapshot.Contents.Catalogue.IsGuarded, server.HasNulls);
        var bound = isHidden ? previous?.LowerBound : Horizon.Bound(clock, oldest, prepared.Values, table.DefaultSlack);
        var horizon = new Horizon(snapshot.Text, snapshot.Xmin, snapshot.Xmax, [], bound, clock, startedAt, prepared, snapshot.Lsn)
            .Seeing(SimulatedClock.Time(server.Clock));
        yield return "the snapshot is taken";
        var (facts, change) = snapshot.Contents.Catalogue.Facts(previous, horizon, table.Trigger.Counts, snapshot.Now);
        var newest = Select(HorizonQueries.Newest(table, clock), snapshot).Select(WitnessOf).ToImmutableArray();
        ImmutableArray<uint>? seen = [];
        if (snapshot.Xmin != snapshot.Xmax)
        {
            var query = HorizonQueries.Seen(
                table, horizon, seenMax, isOfAnyTime: previous?.UnguardedBelow > horizon.Xmin);
            seen = [.. Select(query, snapshot).Select(r => r.Xmin).Order()];
        }
        if (seen.Value.Length > seenMax) (seen, history.HeldBack) = (null, history.HeldBack + 1);
        yield return "it is looked at";
        foreach (var step in UntilDurable(horizon.Lsn)) yield return step;
        horizon = horizon with { Newest = newest, KeyOrder = table.Order, Facts = facts, Lsn = server.FlushedLsn };
        Unlock();
        taken(horizon.Remembering(seen, previous), change);
    }

    /// <summary>Mostly the disk is soon there; what is not on it is not captured, and hides nothing.</summary>
    private IEnumerable<string> UntilDurable(ulong lsn)
    {
        while (server.FlushedLsn < lsn)
        {
            if (random.Next(8) > 0) server.Flush();
            else yield return "waits for the disk";
        }
    }

    private IEnumerable<string> ReadPages(Window window)
    {
        IsInPoll = true;
        for (Window? rest = window; rest is not null;)
        {
            while (server.IsLocked) yield return "waits for the table";
            Lock();
            var snapshot = server.TakeSnapshot();
            var rows = new Queue<RowVersion>(Select(rest.Query(server.Table), snapshot));
            foreach (var step in UntilDurable(snapshot.Lsn)) yield return step;
            var isReopened = false;
            while (rows.Count > 0 && !isReopened)
            {
                var page = new List<(RowVersion Row, string Reading)>();
                while (page.Count < pageRowsMax && rows.TryDequeue(out var row)) page.Add((row, server.Contents.Catalogue.Reading));
                yield return "a page is filled";
                var cursor = CursorAt(page[^1].Row);
                Save(watermark.Advance(cursor, page.Count));
                history.Publish(page);
                rest = rest with { Page = rest.Page + 1, Cursor = cursor };
                isReopened = random.Next(4) == 0;
                if (!isReopened) yield return "a page is published";
            }
            Unlock();
            if (!isReopened) break;
            // Time for this poll is up: the next one goes on in the window.
            IsInPoll = random.Next(4) > 0;
            yield return "a page is published, and the snapshot given up";
            if (!IsInPoll) yield break;
        }
        Save(watermark);
        watermark = saved = watermark.Complete();
        IsInPoll = false;
        yield return "the window is done";
    }

    // From now on it is known that the window was to be read.
    private void Save(Watermark position)
    {
        if (saved.WindowNumber != position.WindowNumber || saved.Window?.To.TakenAt != position.Window?.To.TakenAt)
            history.IsKept(position.Window!);
        watermark = saved = position;
    }

    private void Lock()
    {
        HasLock = true;
        server.Readers++;
    }

    private void Unlock()
    {
        HasLock = false;
        server.Readers--;
    }

    /// <summary>Its process dies: the server ends what it had open.</summary>
    public void Die()
    {
        if (HasLock && server.Readers > 0) server.Readers--;
        HasLock = IsTaking = IsInPoll = false;
    }

    private static List<RowVersion> Select(string sql, Snapshot snapshot) =>
        new SelectStatement(sql, snapshot.Now).Of(snapshot.Contents.Rows.Values);

    private static RowWitness WitnessOf(RowVersion row) => new(
        row.Xmin, row.Time is { } time ? SimulatedClock.Text(time) : "", [row.Key.ToString(CultureInfo.InvariantCulture)]);

    private static Cursor CursorAt(RowVersion row) => new(
        row.Time is { } time ? SimulatedClock.Text(time) : null, [row.Key.ToString(CultureInfo.InvariantCulture)]);
}
