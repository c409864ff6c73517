using OrdersStream.Kafka;
using OrdersStream.UnitTests.Store;

namespace OrdersStream.UnitTests.Schedules;

/// <summary>
/// One schedule: who goes a step further is drawn by lot, and so is what befalls him; in the end all faults are calmed, all is sent and
/// stored, and the lake must say what the table says (invariants 1, 2 and 3).
/// </summary>
internal sealed class Schedule
{
    private const int CalmStepsMax = 20_000;

    /// <summary>Who ends a page at his usual pace is not timed out.</summary>
    private const int TransactionStepsMax = 20;

    private readonly ScheduleWorld world;
    private readonly Random random;
    private readonly ForeignRecords foreign;
    private readonly SimulatedStorer[] storers;
    private readonly List<(SimulatedPublisher Publisher, IEnumerator<string> Session)> sleeping = [];
    private SimulatedPublisher publisher;
    private IEnumerator<string> session;
    private int publishers;
    private int openSteps;
    private int losses;

    public Schedule(int seed, bool isTransactional, string schemas, bool losesSeveral = false)
    {
        world = new ScheduleWorld(seed, isTransactional, schemas, losesSeveral);
        random = world.Random;
        foreign = new ForeignRecords(world);
        storers = [new SimulatedStorer(world, "storer 1"), new SimulatedStorer(world, "storer 2")];
        (publisher, session) = NewPublisher();
    }

    public IReadOnlyList<string> Steps => world.Steps;

    private bool HasLost => losses > 0;

    public async Task RunAsync()
    {
        var steps = random.Next(30, 250);
        for (var i = 0; i < steps; i++) await StepAsync();
        await CalmAsync();
        await CheckAsync();
    }

    /// <summary>
    /// Of three pages the second is left: one partition lost the third, and ends before what was promised; another lost the first, and
    /// others wrote there since.
    /// </summary>
    public async Task LoseTwoEndsAsync()
    {
        while (world.Broker.Partitions < 2) world.Broker.Grow();
        (publisher, session) = NewPublisher();
        foreach (var partition in new[] { 1, 0, 0 })
        {
            world.Table.Write([KeyIn(partition)]);
            BecomeCalm();
        }
        var (end, entries) = (world.Broker.End(1), world.IsTransactional ? 2 : 1);
        foreach (var partition in new[] { 0, 1 }) world.Broker.LoseEnd(partition, entries);
        world.Saw(foreign.FillUp(1, end));
        losses++;
        (publisher, session) = NewPublisher();
        BecomeCalm();
        await storers[0].ReadOnAsync(all: true);
        await CheckAsync();
    }

    private long KeyIn(int partition) => Enumerable.Range(0, 1000).Select(k => (long)k).First(k =>
        DefaultPartitioner.Partition(System.Text.Encoding.UTF8.GetBytes($"{k}"), world.Broker.Partitions) == partition);

    private async Task StepAsync()
    {
        openSteps = world.Broker.HasBegun ? openSteps + 1 : 0;
        switch (random.Next(100))
        {
            case < 12:
                Write();
                break;
            case < 50:
                StepPublisher();
                break;
            case < 70:
                if (world.Network.Deliver(random) is { } arrived) world.Saw(arrived);
                else StepPublisher();
                break;
            case < 78:
                if (world.Broker.PendingMarkers > 0) world.Broker.WriteMarker(random);
                break;
            case < 88:
                var storer = storers[random.Next(2)];
                world.Saw(random.Next(2) == 0 ? await storer.StoreDeliveredAsync() : await storer.ReadOnAsync());
                break;
            case < 94:
                if (world.HasForeign) world.Saw(foreign.Write());
                break;
            default:
                Befall();
                break;
        }
    }

    private void Befall()
    {
        switch (random.Next(12))
        {
            case 0 or 1:
                world.Saw($"{publisher.Name} dies");
                if (random.Next(3) == 0) world.Saw(world.DamageFile());
                (publisher, session) = NewPublisher();
                break;
            case 2 or 3:
                world.Saw($"{publisher.Name} falls asleep");
                publisher.HasLostLock = true;
                // Its connections may have ended meanwhile.
                if (publisher.Client is { } client) client.IsInDoubt |= random.Next(2) == 0;
                sleeping.Add((publisher, session));
                (publisher, session) = NewPublisher();
                break;
            case 4 or 5:
                if (sleeping.Count > 0) StepSleeping();
                break;
            case 6:
                if (world.Network.Drop(random, IsGone) is { } dropped) world.Saw(dropped);
                break;
            case 7:
                storers[random.Next(2)].Stop();
                world.Saw("a storer is restarted");
                break;
            case 8:
                world.Broker.AbortHanging();
                if (openSteps > TransactionStepsMax && world.Broker.TimeTransactionOut())
                    world.Saw("the transaction is open for too long, and aborted");
                break;
            case 9 when world.Broker.Partitions < 4 && random.Next(3) == 0:
                world.Broker.Grow();
                world.Saw("the topic has one partition more");
                break;
            case 10 or 11 when world.LosesEnds && losses < (world.LosesSeveral ? 2 : 1):
                LoseEnd();
                break;
        }
    }

    private void LoseEnd()
    {
        var partition = random.Next(world.Broker.Partitions);
        if (world.Broker.End(partition) == 0) return;
        losses++;
        LoseEnd(partition);
        for (var p = 0; world.LosesSeveral && p < world.Broker.Partitions; p++)
        {
            if (p == partition || random.Next(2) == 0) continue;
            var end = world.Broker.End(p);
            LoseEnd(p);
            if (random.Next(2) == 0) world.Saw(foreign.FillUp(p, end));
        }
        // Who comes next knows of it by the topic alone.
        if (random.Next(3) > 0) return;
        world.Saw($"{publisher.Name} dies, and {world.DamageFile()}");
        (publisher, session) = NewPublisher();
    }

    private void LoseEnd(int partition)
    {
        world.Broker.LoseEnd(partition, random.Next(1, 8));
        world.Network.Disturb(sleeping.Select(s => s.Publisher).Append(publisher).Select(p =>
            p.Client).OfType<PublisherClient>(), partition);
        world.Saw($"partition {partition} loses its end, which is {world.Broker.End(partition)} now");
    }

    private bool IsGone(PublisherClient client) =>
        client != publisher.Client && !sleeping.Exists(s => s.Publisher.Client == client);

    private void Write()
    {
        var rows = random.Next(3) == 0 ? random.Next(1, world.Keys + 1) : random.Next(1, 4);
        world.Table.Write(Enumerable.Range(0, rows).Select(_ => random.NextInt64(world.Keys)));
        world.Saw($"rows change: {string.Join(", ", world.Table.Rows.Select(r => $"{r.Key} v{r.Version}"))}");
    }

    private void StepPublisher()
    {
        if (TryStep(publisher, session)) return;
        session = publisher.Run().GetEnumerator();
    }

    private void StepSleeping()
    {
        var i = random.Next(sleeping.Count);
        for (var steps = random.Next(1, 12); steps > 0; steps--)
        {
            if (TryStep(sleeping[i].Publisher, sleeping[i].Session)) continue;
            sleeping.RemoveAt(i);
            return;
        }
    }

    /// <summary>False: the session has ended.</summary>
    private bool TryStep(SimulatedPublisher one, IEnumerator<string> itsSession)
    {
        try
        {
            itsSession.MoveNext();
            world.Saw($"{one.Name}: {itsSession.Current}");
            return true;
        }
        catch (SessionEndedException e)
        {
            world.Saw($"{one.Name} ends its session: {e.Message}");
            return false;
        }
    }

    private (SimulatedPublisher, IEnumerator<string>) NewPublisher()
    {
        var next = new SimulatedPublisher(world, $"p{++publishers}");
        return (next, next.Run().GetEnumerator());
    }

    // Who sleeps wakes for the last time, what is on its way arrives or never does, and a row of each key is written once more.
    private async Task CalmAsync()
    {
        world.Saw("calm");
        for (var round = 0; round < 2; round++)
        {
            BecomeCalm();
            if (round == 0) world.Table.Write(Enumerable.Range(0, world.Keys).Select(k => (long)k).Where(_ => random.Next(3) > 0));
        }
        var last = storers[0];
        last.Stop();
        storers[1].Stop();
        for (var i = 0; i < 20; i++) world.Saw(await last.ReadOnAsync(all: true));
        Assert.True(last.HasReadAll, "the storer does not get to the end");
    }

    private void BecomeCalm()
    {
        for (var i = 0; !IsCalm(); i++)
        {
            if (i > CalmStepsMax) throw new InvalidOperationException("it never becomes calm");
            if (random.Next(2) == 0 && world.Network.Deliver(random) is { } arrived) world.Saw(arrived);
            else if (random.Next(20) == 0 && world.Network.Drop(random, IsGone) is { } dropped) world.Saw(dropped);
            else if (sleeping.Count > 0 && random.Next(3) == 0) StepSleeping();
            else if (world.Broker.PendingMarkers > 0 && random.Next(2) == 0) world.Broker.WriteMarker(random);
            else if (foreign.HasOpen && random.Next(4) == 0) world.Saw(foreign.End());
            else if (random.Next(8) == 0) world.Broker.AbortHanging();
            else if (publisher is { Client.IsInDoubt: true, IdleAt: not null } && random.Next(8) == 0) Write();
            else StepPublisher();
        }
    }

    private bool IsCalm() =>
        world.Network.IsEmpty && sleeping.Count == 0 && world.Broker.PendingMarkers == 0 && !foreign.HasOpen
            && publisher.IdleAt == world.Table.Snapshot
        && publisher.Client is { IsInDoubt: false };

    private async Task CheckAsync()
    {
        var rows = await world.RowsAsync();
        var quarantined = world.Quarantined();
        foreach (var row in rows) world.Saw($"lake: {row}");
        foreach (var (text, reason) in quarantined) world.Saw($"quarantine: {text} {reason}");
        CheckNewest(rows);
        CheckPublished(rows);
        CheckOnce(rows);
        CheckForeign(rows, quarantined);
        foreach (var (text, reason) in quarantined)
            if (!HasLost && ForeignRecords.NumberIn(text) is null
                && !IsDoubtful(reason)) throw new InvalidOperationException($"in quarantine: {text}");
    }

    private bool IsDoubtful(string reason) =>
        world.IsTransactional && (reason.Contains("not finished", StringComparison.Ordinal) || reason.Contains("sent again",
            StringComparison.Ordinal));

    private void CheckNewest(List<StoredRow> rows)
    {
        var newest = rows.GroupBy(r => r.Key).ToDictionary(
            g => g.Key, g => g.OrderBy(r => r.Version).ThenBy(r => r.Offset).Last().Status);
        foreach (var row in world.Table.Rows)
            if (newest.GetValueOrDefault(row.Key) is var status && status != $"v{row.Version}")
                throw new InvalidOperationException($"row {row.Key} is at version {row.Version}, and in the lake at {status ?? "none"}");
    }

    // Of a page that was torn the rows that moved on are not sent again: their newest version is what counts.
    private void CheckPublished(List<StoredRow> rows)
    {
        if (HasLost) return;
        var stored = rows.Select(r => (r.Key, r.Status)).ToHashSet();
        foreach (var row in world.Published)
            if (!stored.Contains((row.Key, $"v{row.Version}")))
                throw new InvalidOperationException($"row {row.Key}, v{row.Version}, was published and is not in the lake");
    }

    private void CheckOnce(List<StoredRow> rows)
    {
        if (HasLost) return;
        if (rows.GroupBy(r => (r.Key, r.Status)).FirstOrDefault(g => g.Count() > 1) is { } twice)
            throw new InvalidOperationException($"row {twice.Key.Key}, {twice.Key.Status}, is in the lake {twice.Count()} times");
    }

    // Where an end was lost, others' records below what the lake has cannot be told from those that it has.
    private void CheckForeign(List<StoredRow> rows, List<(string Text, string Reason)> quarantined)
    {
        if (HasLost) return;
        var stored = rows.Where(r => r.Key >= 1000).Select(r => r.Key)
            .Concat(quarantined.Select(q => ForeignRecords.NumberIn(q.Text)).OfType<long>()).ToLookup(n => n);
        for (var p = 0; p < world.Broker.Partitions; p++)
        {
            foreach (var record in world.Broker.Read(p, 0, storers[0].WaitingFrom(p) ?? long.MaxValue))
            {
                if (ForeignRecords.NumberIn(System.Text.Encoding.UTF8.GetString(record.Key ?? [])) is not { } number) continue;
                if (stored[number].Count() != 1)
                    throw new InvalidOperationException($"foreign record {number} is in the lake {stored[number].Count()} times");
            }
        }
    }
}
