using OrdersStream.Kafka;
using OrdersStream.UnitTests.Store;

namespace OrdersStream.UnitTests.Schedules;

/// <summary>
/// A topic as Kafka keeps it: per partition a log of records and transaction markers, read by those who read committed records; a
/// coordinator of one transactional id, whose epochs fence; a log's end that may be lost. What is sent lies in <see cref="Network"/> first.
/// </summary>
internal sealed class SimulatedBroker(int partitions)
{
    private enum Fate
    {
        Open,
        Committed,
        Aborted,
    }

    private sealed class Entry
    {
        public StreamRecord? Record { get; init; }
        public required object Producer { get; init; }
        public Fate Fate { get; set; }

        /// <summary>Offset of the marker that decided it.</summary>
        public int DecidedAt { get; set; } = -1;
    }

    /// <summary>All epochs of the publisher's transactional id.</summary>
    private readonly object ours = new();
    private readonly List<List<Entry>> logs = [.. Enumerable.Range(0, partitions).Select(_ => new List<Entry>())];
    private readonly SortedSet<int> begun = [];
    private readonly List<int> markers = [];
    private bool isCommit;
    private int epoch;

    public static TopicIdentity Identity { get; } = new("cluster-1", "orders", "topic-id-1");

    public TopicAccess Access => 
        new(Identity, (p, _) => Task.FromResult((0L, StableEnd(p))), (p, _) => Task.FromResult(End(p)), ReadAsync, ReadAsync);

    public int Partitions => logs.Count;

    /// <summary>A transaction has begun.</summary>
    public bool HasBegun => begun.Count > 0;

    /// <summary>Markers that are decided and not written.</summary>
    public int PendingMarkers => markers.Count;

    public long End(int partition) => logs[partition].Count;

    /// <summary>The last stable offset.</summary>
    public long StableEnd(int partition) =>
        logs[partition].FindIndex(e => e.Fate == Fate.Open) is >= 0 and var open ? open : logs[partition].Count;

    public IEnumerable<StreamRecord> Read(int partition, long from, long toExclusive = long.MaxValue)
    {
        var end = Math.Min(toExclusive, StableEnd(partition));
        for (var i = from; i < end; i++)
            if (logs[partition][(int)i] is { Fate: Fate.Committed, Record: { } record }) yield return record;
    }

    public IEnumerable<StreamRecord> ReadUncommitted(int partition, long from) =>
        logs[partition].Skip((int)from).Where(e => e.Record is not null).Select(e => e.Record!.Value);

    public void Grow() => logs.Add([]);

    /// <summary>A record of anybody. A producer that is given holds it back until its transaction ends.</summary>
    public void Append(int partition, Message message, object? transaction = null)
    {
        var record = new StreamRecord(
            partition, End(partition), message.Key, message.Value, 1_760_000_000_000 + End(partition), message.Headers);
        logs[partition].Add(new Entry
        {
            Record = record, Producer = transaction ?? this, Fate = transaction is null ? Fate.Committed : Fate.Open,
        });
    }

    /// <summary>Ends what a producer has open in a partition.</summary>
    public void Mark(int partition, object transaction, bool commit)
    {
        foreach (var entry in logs[partition].Where(e => e.Fate == Fate.Open && ReferenceEquals(e.Producer, transaction)))
            (entry.Fate, entry.DecidedAt) = (commit ? Fate.Committed : Fate.Aborted, logs[partition].Count);
        logs[partition].Add(new Entry { Producer = this, Fate = Fate.Committed });
    }

    /// <summary>False: transactions that have ended are still being written, or one is to be ended first.</summary>
    public bool TryInitTransactions(PublisherClient client)
    {
        if (markers.Count > 0) return false;
        epoch++;
        if (begun.Count > 0)
        {
            Decide(commit: false);
            return false;
        }
        client.Epoch = epoch;
        return true;
    }

    /// <summary>False: later. A client asks for each partition once in what it believes to be its transaction.</summary>
    public bool TryAddPartition(PublisherClient client, int partition)
    {
        if (client.Added.Contains(partition)) return true;
        if (client.Epoch != epoch)
        {
            client.Refused = "fenced";
            return true;
        }
        if (markers.Count > 0) return false;
        begun.Add(partition);
        client.Added.Add(partition);
        return true;
    }

    /// <summary>A batch arrives. Brokers verify that its partition belongs to the transaction.</summary>
    public void Produce(PublisherClient client, int partition, IReadOnlyList<Message> batch, Random random)
    {
        if (client.Broken.Contains(partition)) client.Refused = "out of order sequence";
        else if (client.IsTransactional && client.Epoch != epoch) client.Refused = "fenced";
        else if (client.IsTransactional && !begun.Contains(partition) && !HasOpen(partition)) client.Refused = "invalid transaction state";
        if (client.Refused is not null) return;
        if (!client.IsTransactional && RefusesRecord(batch, random))
        {
            client.Failed ??= "a record is too large";
            return;
        }
        client.Wrote.Add(partition);
        foreach (var message in batch) Append(partition, message, client.IsTransactional ? ours : null);
        client.Ends[partition] = End(partition);
    }

    /// <summary>A request to end a transaction arrives, whichever one it was meant for.</summary>
    public bool EndTransaction(int ofEpoch, bool commit)
    {
        if (ofEpoch != epoch) return false;
        if (begun.Count == 0) return isCommit == commit;
        Decide(commit);
        return true;
    }

    /// <summary>One of the markers is written, and its partition's part becomes visible or is dropped.</summary>
    public void WriteMarker(Random random)
    {
        var i = random.Next(markers.Count);
        Mark(markers[i], ours, isCommit);
        markers.RemoveAt(i);
    }

    /// <summary>Nobody ends it by itself: an operator does.</summary>
    public void AbortHanging()
    {
        for (var p = 0; p < Partitions; p++)
            if (HasOpen(p) && !begun.Contains(p) && !markers.Contains(p)) Mark(p, ours, commit: false);
    }

    /// <summary>
    /// The coordinator ends a transaction that is open for longer than it may be; its publisher, fenced, hears of it when it goes on.
    /// </summary>
    /// <returns>False: none is open, or what was decided before is still being written.</returns>
    public bool TimeTransactionOut()
    {
        if (begun.Count == 0 || markers.Count > 0) return false;
        epoch++;
        Decide(commit: false);
        return true;
    }

    /// <summary>A leader is elected that does not have the log's end.</summary>
    public void LoseEnd(int partition, int records)
    {
        var log = logs[partition];
        var end = Math.Max(0, log.Count - records);
        log.RemoveRange(end, log.Count - end);
        // What an aborted page left stays aborted: numbers of pages do not tell it from the one that came in its place.
        foreach (var entry in log.Where(e => e.DecidedAt >= end && e.Fate == Fate.Committed && ReferenceEquals(e.Producer, ours)))
            (entry.Fate, entry.DecidedAt) = (Fate.Open, -1);
    }

    // Those that it sent behind it the client then numbers anew, and sends again. A fence is small.
    private static bool RefusesRecord(IReadOnlyList<Message> batch, Random random) => batch[0].Key is not null && random.Next(60) == 0;

    private bool HasOpen(int partition) => logs[partition].Any(e => e.Fate == Fate.Open && ReferenceEquals(e.Producer, ours));

    private void Decide(bool commit)
    {
        isCommit = commit;
        markers.AddRange(begun);
        begun.Clear();
    }

    private async IAsyncEnumerable<StreamRecord> ReadAsync(
        int partition, long from, long toExclusive,
            [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await Task.CompletedTask;
        foreach (var record in Read(partition, from, toExclusive))
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return record;
        }
    }
}

/// <summary>A record before it has an offset.</summary>
internal sealed record Message(byte[]? Key, byte[]? Value, IReadOnlyList<StreamHeader>? Headers);

/// <summary>What the broker and the network know of one incarnation of the publisher.</summary>
internal sealed class PublisherClient(string name, bool isTransactional)
{
    public string Name { get; } = name;
    public bool IsTransactional { get; } = isTransactional;
    public int Epoch { get; set; }

    /// <summary>Why a request was refused; null: none was.</summary>
    public string? Refused { get; set; }

    /// <summary>Why a record of it was refused, while what it sends behind that is taken; null: none was.</summary>
    public string? Failed { get; set; }

    /// <summary>Something out of the ordinary was seen.</summary>
    public bool IsInDoubt { get; set; }

    /// <summary>Partitions that belong to its transaction, as far as it knows.</summary>
    public HashSet<int> Added { get; } = [];

    /// <summary>What was acknowledged, per partition.</summary>
    public Dictionary<int, long> Ends { get; } = [];

    /// <summary>Partitions that it wrote to.</summary>
    public HashSet<int> Wrote { get; } = [];

    /// <summary>Of them, those that lost its records: what it sends then is out of sequence.</summary>
    public HashSet<int> Broken { get; } = [];
}

/// <summary>Requests on their way: of one client to one partition in their order, otherwise in any, and for as long as it takes.</summary>
internal sealed class Network(SimulatedBroker broker)
{
    private readonly List<(PublisherClient Client, int Partition, Queue<IReadOnlyList<Message>> Batches)> queues = [];
    private readonly List<int> stale = [];

    public bool IsEmpty => queues.Count == 0 && stale.Count == 0;

    public void Send(PublisherClient client, int partition, IReadOnlyList<Message> batch)
    {
        var queue = queues.Find(q => q.Client == client && q.Partition == partition).Batches;
        if (queue is null) queues.Add((client, partition, queue = []));
        queue.Enqueue(batch);
    }

    /// <summary>All that the client sent has arrived.</summary>
    public bool HasNothingOf(PublisherClient client) => !queues.Exists(q => q.Client == client);

    /// <summary>A request to commit that was repeated, since its answer was long in coming: the first is still on its way.</summary>
    public void KeepCommit(int epoch) => stale.Add(epoch);

    /// <summary>Some request arrives; null: none does yet.</summary>
    public string? Deliver(Random random)
    {
        if (IsTimeForOldCommit(random))
        {
            var old = random.Next(stale.Count);
            var epoch = stale[old];
            stale.RemoveAt(old);
            var isTaken = broker.EndTransaction(epoch, commit: true);
            return $"an old commit of epoch {epoch} arrives: {(isTaken ? "taken" : "refused")}";
        }
        if (queues.Count == 0) return null;
        var i = random.Next(queues.Count);
        var (client, partition, batches) = queues[i];
        var batch = batches.Dequeue();
        if (batches.Count == 0) queues.RemoveAt(i);
        broker.Produce(client, partition, batch, random);
        var why = client.Refused ?? client.Failed;
        return $"{batch.Count} records of {client.Name} arrive in {partition}, end {broker.End(partition)} {why}";
    }

    // Between two pages it does nothing: mostly it comes in the middle of one.
    private bool IsTimeForOldCommit(Random random) =>
        stale.Count > 0 && random.Next(broker.HasBegun ? 4 : 40) == 0;

    /// <summary>The connection of a client that is gone ends: what it had not got through never arrives.</summary>
    public string? Drop(Random random, Func<PublisherClient, bool> isGone)
    {
        var gone = queues.Where(q => isGone(q.Client)).ToList();
        if (gone.Count == 0) return null;
        var one = gone[random.Next(gone.Count)];
        queues.Remove(one);
        return $"{one.Batches.Count} batches of {one.Client.Name} for {one.Partition} never arrive";
    }

    /// <summary>The client's connections see that a partition has another leader.</summary>
    public void Disturb(IEnumerable<PublisherClient> clients, int partition)
    {
        foreach (var client in clients.Concat(queues.Select(q => q.Client)).Distinct().ToList())
        {
            client.IsInDoubt = true;
            if (client.Wrote.Contains(partition)) client.Broken.Add(partition);
        }
    }
}
