using System.Collections.Immutable;
using System.Globalization;
using Confluent.Kafka;
using OrdersStream.Capture;
using OrdersStream.Kafka;
using OrdersStream.Postgres;
using OrdersStream.Rows;
using OrdersStream.UnitTests.Store;

namespace OrdersStream.UnitTests.Schedules;

/// <summary>The session ended by a failure; the next one finds its position anew.</summary>
internal sealed class SessionEndedException(string why) : Exception(why);

/// <summary>
/// A publisher's session in small steps, between which anything may happen: what <c>CaptureSession</c> does, by the product's own headers,
/// reading of the topic's end and decision where to go on.
/// </summary>
internal sealed class SimulatedPublisher(ScheduleWorld world, string name)
{
    /// <summary>How often it looks whether the end is hidden before the session is given up, as the product does after a while.</summary>
    private const int HiddenLooksMax = 25;

    private readonly Random random = world.Random;
    private readonly string delivery = world.IsTransactional ? "transactions" : "frames";
    private int incarnations;
    private int partitions;
    private readonly Dictionary<int, long> reached = [];
    private Watermark watermark = null!;
    private Watermark? written;
    private byte[]? known;
    private bool hasNumber;

    public string Name { get; } = name;

    /// <summary>The present client; null: none is made yet.</summary>
    public PublisherClient? Client { get; private set; }

    /// <summary>Another has the lock: what it asks of the table fails.</summary>
    public bool HasLostLock { get; set; }

    /// <summary>The table as it was when all of it was in the topic.</summary>
    public string? IdleAt { get; private set; }

    /// <summary>The session from its opening on; it never ends by itself.</summary>
    public IEnumerable<string> Run()
    {
        IdleAt = null;
        foreach (var step in Open()) yield return step;
        while (true)
        {
            AskTable();
            if (watermark.Window is null && watermark.Horizon?.Snapshot == world.Table.Snapshot)
            {
                IdleAt = world.Table.Snapshot;
                yield return "idle";
                continue;
            }
            IdleAt = null;
            if (watermark.Window is null)
                watermark = watermark.Begin(
                    WindowPlan.Next(
                        watermark.WindowNumber + 1, watermark.Horizon, world.Table.TakeHorizon(), TableChange.None, Rewind.None,
                        TimeSpan.Zero).Window);
            foreach (var step in PublishWindow(watermark.Window!)) yield return step;
        }
    }

    private IEnumerable<string> PublishWindow(Window window)
    {
        yield return $"window {window.Number} behind {window.Cursor}";
        var isReadAhead = random.Next(2) == 0;
        var rows = new Queue<RowVersion>(world.Table.Read(window));
        while (rows.Count > 0)
        {
            var page = new Page(1024);
            page.Begin(TestTopic.Orders);
            var published = new List<RowVersion>();
            var count = Math.Min(rows.Count, random.Next(1, world.PageRowsMax + 1));
            for (var i = 0; i < count; i++)
            {
                var row = rows.Dequeue();
                page.Add(row.KeyBytes, row.ValueBytes, DefaultPartitioner.Partition(row.KeyBytes, partitions));
                page.Cursor = row.Cursor;
                published.Add(row);
            }
            foreach (var step in Publish(page)) yield return step;
            world.Published.AddRange(published);
            if (isReadAhead) continue;
            AskTable();
            rows = new Queue<RowVersion>(world.Table.Read(watermark.Window!));
        }
        Save(watermark.Complete());
        yield return $"window {window.Number} done";
    }

    private IEnumerable<string> Open()
    {
        hasNumber = false;
        partitions = world.Broker.Partitions;
        foreach (var step in Connect()) yield return step;
        var file = written = ReadFile();
        var promised = file?.Offsets ?? Watermark.NoOffsets;
        var lost = NoteLost(ref file, Lost(promised));
        TailPosition tail = null!;
        foreach (var step in ReadTails(file, read => tail = read, isAfterLoss: false)) yield return step;
        var least = WatermarkRecovery.LeastNumber(world.Now);
        if (!world.IsTransactional)
        {
            var fence = WatermarkRecovery.NextFence(file, tail, least);
            file = (file ?? Watermark.Start(SimulatedTable.Identity, SimulatedBroker.Identity)) with
            {
                UsedNumber = fence, Delivery = delivery,
            };
            WriteFile(file);
            foreach (var step in Fence(fence)) yield return step;
            foreach (var step in ReadTails(file, read => tail = read, isAfterLoss: false)) yield return step;
            if (!tail.IsFencedBy(Client!.Name, partitions)) throw Replaced();
        }
        lost = lost.SetItems(NoteLost(ref file, tail.LostOf(promised, Client!.Name)));
        if (lost.Count > 0)
            foreach (var step in ReadTails(null, read => tail = read, isAfterLoss: true)) yield return step;
        var found = WatermarkRecovery.Decide(file, tail, lost);
        var start = found.Watermark ?? Watermark.Start(SimulatedTable.Identity, SimulatedBroker.Identity);
        var topic = new TopicDescription(SimulatedBroker.Identity, partitions);
        watermark = WatermarkRecovery.Complete(start, file, tail, topic, isAfterLoss: lost.Count > 0, least);
        written = file;
        if (lost.Count > 0) Save(watermark);
        yield return $"goes on behind page {watermark.PageNumber}, torn {found.Torn?.Page}, "
            + $"window {watermark.Window?.Number}, lost {lost.Count}";
        if (found.Torn is { } torn)
            foreach (var step in SendAgain(torn)) yield return step;
    }

    private ImmutableSortedDictionary<int, long> NoteLost(ref Watermark? file, ImmutableSortedDictionary<int, long> lost)
    {
        if (file is null) return lost;
        file = file.WithLost(lost);
        WriteFile(file);
        return file.Lost ?? Watermark.NoOffsets;
    }

    private IEnumerable<string> ReadTails(Watermark? file, Action<TailPosition> use, bool isAfterLoss)
    {
        // One that slept may have opened a transaction since this one fenced it: the next session's InitTransactions ends that.
        for (var looks = 0; IsEndHidden; looks++)
            yield return looks < HiddenLooksMax ? "the end is hidden" : throw new SessionEndedException("the end stays hidden");
        var kept = Enumerable.Range(0, partitions).Select(p => (0L, world.Broker.StableEnd(p))).ToList();
        var tails = new PartitionTail[partitions];
        for (var p = 0; p < partitions; p++)
        {
            tails[p] = ReadTail(p, file, kept[p].Item2, isAfterLoss);
            yield return $"reads the end of {p}: begun {tails[p].Begun}, decided {tails[p].Decided}";
        }
        var lost = new HashSet<int>();
        foreach (var (p, page) in isAfterLoss ? [] : TopicTail.KnownToTheNewest(tails, SimulatedBroker.Identity))
        {
            var search = new SearchBehindPage(0, kept[p].Item2, page);
            if (search.By(start => ReadTail(p, start, kept[p].Item2, page)).HasLostKnown) lost.Add(p);
            yield return $"looks for page {page} in {p}: {(lost.Contains(p) ? "lost" : "there")}";
        }
        use(TopicTail.Sum(tails, kept, lost));
    }

    private bool IsEndHidden => Enumerable.Range(0, partitions).Any(p => world.Broker.StableEnd(p) < world.Broker.End(p));

    private IEnumerable<string> Fence(long number)
    {
        var header = new PageFence(number, Client!.Name).ToHeader(SimulatedBroker.Identity.Topic);
        for (var p = 0; p < partitions; p++) world.Network.Send(Client, p, [new Message(null, null, [new(StreamHeader.Fence, header)])]);
        yield return $"sends fence {number}";
        foreach (var step in Acknowledged()) yield return step;
    }

    private IEnumerable<string> Connect()
    {
        Client = new PublisherClient($"{Name}x{++incarnations}", world.IsTransactional);
        reached.Clear();
        if (!world.IsTransactional) yield break;
        while (!world.Broker.TryInitTransactions(Client)) yield return "waits for the coordinator";
    }

    private PartitionTail ReadTail(int partition, Watermark? file, long high, bool isAfterLoss)
    {
        if (file?.Offsets.TryGetValue(partition, out var from) == true && from <= high)
        {
            var page = file.PagesOrNone.GetValueOrDefault(partition);
            return new SearchBehindPage(0, from, page).By(start => ReadTail(partition, start, high, page));
        }
        return new SearchBackwards(0, high, isAfterLoss, world.RecordsBack).By(start => ReadTail(partition, start, high, 0));
    }

    private PartitionTail ReadTail(int partition, long at, long high, long known)
    {
        var tail = new PartitionTail(SimulatedBroker.Identity.Topic, known, isFromBeginning: at == 0);
        foreach (var record in world.Broker.Read(partition, at, high)) tail.Take(record);
        return tail;
    }

    private ImmutableSortedDictionary<int, long> Lost(IReadOnlyDictionary<int, long> promised) => promised
        .Where(o => o.Value > world.Broker.End(o.Key))
        .ToImmutableSortedDictionary(o => o.Key, o => o.Value - world.Broker.End(o.Key));

    private IEnumerable<string> SendAgain(TornPage torn)
    {
        AskTable();
        var page = new Page(1024);
        page.Begin(TestTopic.Orders);
        // As a publisher might that does not know where it is missing: who has it drops it.
        var isWhole = world.IsTransactional && random.Next(2) == 0;
        foreach (var row in world.Table.Read(watermark.Window! with { Cursor = torn.Before }, watermark.Window.Cursor))
        {
            var partition = DefaultPartitioner.Partition(row.KeyBytes, torn.Of);
            if (isWhole || torn.Missing.Contains(partition)) page.Add(row.KeyBytes, row.ValueBytes, partition);
        }
        world.Saw($"page {torn.Page} was torn");
        if (page.Records.Length == 0) yield break;
        // Behind a fence the old number would be a late one's.
        if (!world.IsTransactional) watermark = watermark with { PageNumber = watermark.PageNumber + 1 };
        var outgoing = new OutgoingPage(page, watermark, torn.Before, watermark.PagesOrNone, torn);
        var headers = HeadersOf(outgoing);
        foreach (var step in Send(outgoing, headers)) yield return step;
        Save(watermark.Sent(headers.Counts, world.IsTransactional));
    }

    private IEnumerable<string> Publish(Page page)
    {
        if (Client!.IsInDoubt)
            foreach (var step in Renew()) yield return step;
        if (!hasNumber)
        {
            watermark = watermark.PassNumberOver(delivery);
            written = (written ?? Watermark.Start(watermark.Source, watermark.Topic)) with
            {
                UsedNumber = watermark.UsedNumber, Delivery = delivery,
            };
            WriteFile(written);
            hasNumber = true;
            yield return $"passes number {watermark.UsedNumber} over";
        }
        var after = watermark.Advance(page.Cursor!, page.Records.Length);
        var outgoing = new OutgoingPage(page, after, watermark.Window!.Cursor, watermark.PagesOrNone);
        var headers = HeadersOf(outgoing);
        foreach (var step in Send(outgoing, headers)) yield return step;
        yield return $"page {after.PageNumber} is acknowledged";
        Save(after.Sent(headers.Counts, world.IsTransactional));
        yield return $"page {after.PageNumber} is in the watermark file";
        if (Client!.IsInDoubt)
            foreach (var step in Renew()) yield return step;
    }

    private IEnumerable<string> Renew()
    {
        foreach (var step in Connect()) yield return step;
        if (world.Broker.Partitions > partitions) throw new SessionEndedException("the topic has more partitions");
        if (Lost(watermark.Offsets).Count > 0) throw new SessionEndedException("the end was lost");
        TailPosition tail = null!;
        foreach (var step in ReadTails(watermark, read => tail = read, isAfterLoss: false)) yield return step;
        if (tail.LostOf(watermark.Offsets, Client!.Name).Count > 0) throw new SessionEndedException("the end was lost");
        if (tail.NewestPage > watermark.PageNumber) throw Replaced();
        yield return "renewed";
    }

    private PageHeaders HeadersOf(OutgoingPage page) => new(
        page, SimulatedBroker.Identity.Topic, Client!.Name, isNamed: !world.IsTransactional, partitions, world.PositionBytesEverywhere);

    private IEnumerable<string> Send(OutgoingPage outgoing, PageHeaders headers)
    {
        foreach (var turn in PageTurn.Of(headers, world.IsTransactional))
        {
            foreach (var step in SendRecords(outgoing, headers, turn)) yield return step;
            foreach (var step in Acknowledged()) yield return step;
            if (!world.IsTransactional && turn.IsEnd) CheckCounts(outgoing.After, headers.Counts, turn);
        }
        if (!world.IsTransactional) yield break;

        var epoch = Client!.Epoch;
        yield return "asks for the commit";
        if (!world.Broker.EndTransaction(epoch, commit: true)) throw new SessionEndedException("the commit is refused");
        Client.Added.Clear();
        if (random.Next(3) == 0)
        {
            world.Network.KeepCommit(epoch);
            // Where the client did not notice it, only the frames are left.
            Client.IsInDoubt |= random.Next(3) == 0;
        }
        yield return $"page {outgoing.After.PageNumber} is committed";
    }

    private IEnumerable<string> SendRecords(OutgoingPage outgoing, PageHeaders headers, PageTurn turn)
    {
        var batches = new Dictionary<int, List<Message>>();
        var passed = new int[headers.Counts.Length];
        for (var i = 0; i < outgoing.Page.Records.Length; i++)
        {
            var record = outgoing.Page.Records[i];
            if (!turn.Has(record.Partition, passed[record.Partition]++)) continue;
            if (!batches.TryGetValue(record.Partition, out var batch)) batches[record.Partition] = batch = [];
            batch.Add(new Message(
                outgoing.Page.Key(record).ToArray(), outgoing.Page.Value(record).ToArray(), HeadersIn(headers.Next(record.Partition))));
            if (random.Next(3) > 0) continue;
            foreach (var step in SendBatch(outgoing, record.Partition, batch)) yield return step;
            batches.Remove(record.Partition);
        }
        foreach (var (partition, batch) in batches)
            foreach (var step in SendBatch(outgoing, partition, batch)) yield return step;
    }

    private IEnumerable<string> SendBatch(OutgoingPage outgoing, int partition, List<Message> batch)
    {
        if (world.IsTransactional)
            while (!world.Broker.TryAddPartition(Client!, partition)) yield return "waits for the coordinator";
        CheckRefused();
        world.Network.Send(Client!, partition, batch);
        yield return $"sends {batch.Count} records of page {outgoing.After.PageNumber} to {partition}";
    }

    private IEnumerable<string> Acknowledged()
    {
        while (!world.Network.HasNothingOf(Client!))
        {
            CheckRefused();
            // A client in doubt: an answer was lost, and asked for again.
            if (random.Next(40) == 0) Client!.IsInDoubt = true;
            if (random.Next(60) == 0) throw new SessionEndedException("no answer in time");
            yield return "waits for its acknowledgements";
        }
        CheckRefused();
    }

    private void CheckRefused()
    {
        if ((Client!.Refused ?? Client.Failed) is { } why) throw new SessionEndedException(why);
    }

    private void AskTable()
    {
        if (HasLostLock) throw new SessionEndedException("another has the lock");
    }

    // Before it says that the page is published: nobody's fence lies between what it knew and the page's end.
    private void CheckCounts(Watermark page, int[] counts, PageTurn turn)
    {
        for (var p = 0; p < counts.Length; p++)
        {
            if (counts[p] == 0 || !turn.IsOf(p)) continue;
            var from = Math.Max(page.Offsets.GetValueOrDefault(p), reached.GetValueOrDefault(p));
            reached[p] = Client!.Ends[p] == from + counts[p] ? Client.Ends[p] : FindEnd(p, from, page.PageNumber);
        }
    }

    private long FindEnd(int partition, long from, long page)
    {
        foreach (var record in world.Broker.ReadUncommitted(partition, from))
        {
            foreach (var header in record.Headers ?? [])
            {
                if (header is { Name: StreamHeader.Fence, Value: { } mark }
                    && PageFence.Read(mark, SimulatedBroker.Identity.Topic) is { } fence && fence.Page > page) throw Replaced();
                if (header is { Name: StreamHeader.PageEnd, Value: { } value }
                    && PageEnd.Read(value, SimulatedBroker.Identity.Topic) is { } end
                    && end.Page == page && end.Publisher == Client!.Name) return record.Offset + 1;
            }
        }
        throw Replaced();
    }

    private static SessionEndedException Replaced() => new("replaced");

    private Watermark? ReadFile() => (known = world.File) is null ? null : Watermark.FromJson(known);

    // What is not as it was is another's, and stays.
    private void WriteFile(Watermark position)
    {
        if (!ReferenceEquals(world.File, known)) throw new SessionEndedException("the watermark file is another");
        world.WriteFile(position);
        known = world.File;
    }

    private void Save(Watermark position)
    {
        WriteFile(position);
        watermark = written = position;
    }

    private static List<StreamHeader>? HeadersIn(Headers? headers) =>
        headers is null ? null : [.. headers.Select(h => new StreamHeader(h.Key, h.GetValueBytes()))];
}
