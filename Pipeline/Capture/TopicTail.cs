using System.Collections.Immutable;
using Confluent.Kafka;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;
using OrdersStream.Rows;

namespace OrdersStream.Capture;

/// <summary>What was read at the committed end of the topic.</summary>
/// <param name="Newest">The newest position that a page left there; null: none was found.</param>
/// <param name="NewestPage">The greatest number of a page of which anything is there, or of a fence; 0: none.</param>
/// <param name="Torn">The newest page that is whole anywhere, where it is not whole in all of its partitions; null: it is.</param>
/// <param name="Ends">The end of what is committed, per partition.</param>
/// <param name="Pages">Number of the newest whole page or fence, of each partition that one was found in.</param>
/// <param name="Positions">The newest position before which no page is missing, of each partition that one was found in.</param>
/// <param name="Fences">The newest fence, of each partition that one was found in.</param>
/// <param name="Lost">Partitions in which a page that was known is not there any more.</param>
/// <param name="IsByTransactions">The newest page came by a transaction, and no fence since.</param>
public sealed record TailPosition(
    Watermark? Newest, long NewestPage, TornPage? Torn, IReadOnlyDictionary<int, long> Ends, IReadOnlyDictionary<int, long> Pages,
    IReadOnlyDictionary<int, Watermark> Positions, IReadOnlyDictionary<int, FoundFence> Fences, IReadOnlySet<int> Lost,
    bool IsByTransactions = false)
{
    /// <summary>In each partition this publisher's fence is the one that counts.</summary>
    public bool IsFencedBy(string publisher, int partitions) =>
        Enumerable.Range(0, partitions).All(p => Fences.TryGetValue(p, out var fence) && fence.Publisher == publisher);

    /// <summary>
    /// How many offsets are gone at least, of each partition that ends below what was promised, or ended there when this publisher's
    /// fence came, or has the known page no more: an end may be lost between a look at it and this reading, and written over since.
    /// </summary>
    public ImmutableSortedDictionary<int, long> LostOf(IReadOnlyDictionary<int, long> promised, string publisher) => promised.Keys
        .Union(Lost).Where(Ends.ContainsKey)
        .Select(p => (Partition: p, Gone: Math.Max(promised.GetValueOrDefault(p) - EndBefore(p, publisher), Lost.Contains(p) ? 1 : 0)))
        .Where(p => p.Gone > 0)
        .ToImmutableSortedDictionary(p => p.Partition, p => p.Gone);

    /// <summary>It, without the places in other topics: one of the same name may have been deleted while a publisher was at work.</summary>
    public TailPosition Of(TopicIdentity topic)
    {
        var isHere = Newest?.Topic.Matches(topic) != false;
        return this with
        {
            Newest = isHere ? Newest : null,
            Torn = isHere ? Torn : null,
            Positions = Positions.Where(p => p.Value.Topic.Matches(topic)).ToDictionary(),
        };
    }

    private long EndBefore(int partition, string publisher) =>
        Fences.TryGetValue(partition, out var fence) && fence.Publisher == publisher ? fence.Offset : Ends[partition];
}

/// <summary>A fence that stands in the topic.</summary>
public readonly record struct FoundFence(string Publisher, long Offset);

/// <summary>A page that Kafka tore: it is whole in some partitions and not in others.</summary>
/// <param name="Page">Its number.</param>
/// <param name="Partitions">Where it has records.</param>
/// <param name="Of">Partitions that the topic had: by their number each row's is known.</param>
/// <param name="Before">The last row before it in its window; null: it is the window's first page.</param>
/// <param name="Missing">Those of the partitions in which it is not whole.</param>
public sealed record TornPage(long Page, IReadOnlyList<int> Partitions, int Of, Cursor? Before, IReadOnlyList<int> Missing);

/// <summary>
/// Reads the position of the last committed page back from the topic. After a crash between the commit of a page and the
/// writing of the watermark file, the topic knows more than the file; and whether a transaction took effect in all of its partitions,
/// only the topic knows (invariant 2).
/// </summary>
public sealed class TopicTail(PipelineOptions options, TimeProvider time)
{
    /// <summary>The client keeps up to <see cref="KafkaClients.Reader"/>'s queue of each that it reads.</summary>
    private const int PartitionsTogether = 16;

    /// <summary>How long a transaction of others may hide the topic's end before the wait is given up for now.</summary>
    private static readonly TimeSpan HiddenPatience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan HiddenPause = TimeSpan.FromMilliseconds(50);

    /// <summary>Reads everything behind the given offsets.</summary>
    /// <param name="offsets">From the watermark file; a partition that is missing there is read from its end backwards.</param>
    /// <param name="pages">From the watermark file: the newest page of each partition before its offset.</param>
    /// <param name="topic">Which topic, and its partitions.</param>
    /// <param name="isAfterLoss">The brokers lost an end: it is read back to where nothing is missing.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<TailPosition> ReadAsync(
        IReadOnlyDictionary<int, long> offsets, IReadOnlyDictionary<int, long> pages, TopicDescription topic, bool isAfterLoss,
        CancellationToken cancellationToken)
    {
        var reader = new TopicReader(options);
        var errors = new ClientErrors(options.Kafka);
        using var consumer = reader.Build(errors: errors);
        var client = new ReadingClient(consumer, errors);
        var kept = await VisibleEndsAsync(reader, consumer, errors, topic.Partitions, cancellationToken);
        var all = Enumerable.Range(0, topic.Partitions).Select(p => (Partition: p, Ends: kept[p])).Select(p =>
            offsets.TryGetValue(p.Partition, out var from) && from <= p.Ends.High
                ? new Sought(p.Partition, p.Ends.High, pages.GetValueOrDefault(p.Partition),
                    new SearchBehindPage(p.Ends.Low, from, pages.GetValueOrDefault(p.Partition)))
                : new Sought(p.Partition, p.Ends.High, 0, new SearchBackwards(p.Ends.Low, p.Ends.High, isAfterLoss))).ToList();
        var parts = await SearchAsync(client, all, cancellationToken);
        var lost = new HashSet<int>();
        if (!isAfterLoss)
        {
            var unmet = KnownToTheNewest(parts, topic.Identity).Select(k => new Sought(
                k.Partition, kept[k.Partition].High, k.Page,
                new SearchBehindPage(kept[k.Partition].Low, kept[k.Partition].High, k.Page))).ToList();
            foreach (var (sought, behind) in unmet.Zip(await SearchAsync(client, unmet, cancellationToken)))
                if (behind.HasLostKnown) lost.Add(sought.Partition);
        }
        consumer.Unassign();
        return Sum(parts, kept, lost);
    }

    /// <summary>
    /// The first offset kept and the end of each partition, once no transaction hides what lies before it: ours has ended, but of another
    /// producer's one may be open, and what is behind its first record is not the end (invariant 10).
    /// </summary>
    private Task<IReadOnlyList<(long Low, long High)>> VisibleEndsAsync(
        TopicReader topic, IConsumer<byte[], byte[]> committed, ClientErrors errors, int partitions, CancellationToken cancellationToken)
    {
        int[] all = [.. Enumerable.Range(0, partitions)];
        return VisibleEndsAsync(
            () => topic.EndsAsync(partitions, cancellationToken),
            () => topic.OffsetsAsync(committed, all, errors, KafkaClients.AnswerTimeout, cancellationToken),
            options.Kafka.Topic, time, cancellationToken);
    }

    /// <param name="endsAsync">
    /// The end of all that was sent, by partition: looked at once. What others send later hides nothing of ours, and those who send without
    /// a pause would be waited for for ever.
    /// </param>
    /// <param name="keptAsync">What readers of committed records see, by partition.</param>
    /// <param name="topic">Its name.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    internal static async Task<IReadOnlyList<(long Low, long High)>> VisibleEndsAsync(
        Func<Task<IReadOnlyList<long>>> endsAsync, Func<Task<IReadOnlyList<(long Low, long High)>>> keptAsync, string topic,
        TimeProvider time, CancellationToken cancellationToken)
    {
        var begun = time.GetTimestamp();
        // At the same time: whichever is seen first, what is below both was there, and counts or does not.
        var endsSeen = endsAsync();
        for (var keptSeen = keptAsync(); ; keptSeen = keptAsync())
        {
            await Task.WhenAll(endsSeen, keptSeen);
            var (ends, kept) = (await endsSeen, await keptSeen);
            if (HiddenEnd.Between(kept, ends) is not [var hidden, ..]) return kept;
            if (time.GetElapsedTime(begun) > HiddenPatience) throw new PipelineException(hidden.ToVerdict(topic));
            await Task.Delay(HiddenPause, time, cancellationToken);
        }
    }

    /// <summary>The end of one partition, which is searched for a position.</summary>
    /// <param name="Partition">Its number.</param>
    /// <param name="High">The end.</param>
    /// <param name="Known">The newest page that is known there; 0: none.</param>
    /// <param name="Search">Where to read.</param>
    private sealed record Sought(int Partition, long High, long Known, TailSearch Search);

    /// <summary>Several partitions at a time: each begins with a request, and ends with one that is waited for in vain.</summary>
    /// <returns>What was found, in the order of what was sought.</returns>
    private Task<PartitionTail[]> SearchAsync(ReadingClient client, IReadOnlyList<Sought> all, CancellationToken cancellationToken) =>
        Task.Run(
            () =>
            {
                foreach (var together in all.Chunk(PartitionsTogether))
                    while (together.Where(s => s.Search.Found is null).ToList() is { Count: > 0 } open)
                        foreach (var (sought, tail) in open.Zip(Read(client, open, cancellationToken))) sought.Search.Take(tail);
                return all.Select(s => s.Search.Found!).ToArray();
            },
            cancellationToken);

    private IEnumerable<PartitionTail> Read(ReadingClient client, IReadOnlyList<Sought> all, CancellationToken cancellationToken)
    {
        var tails = all.ToDictionary(
            s => s.Partition, s => new PartitionTail(options.StreamName, s.Known, isFromBeginning: s.Search.Start == 0));
        var open = all.Where(s => s.Search.Start < s.High).ToDictionary(s => s.Partition);
        if (open.Count > 0)
            client.Begin([.. open.Values.Select(s => new TopicPartitionOffset(options.Kafka.Topic, s.Partition, s.Search.Start))]);
        while (open.Count > 0)
        {
            var result = client.Next(cancellationToken);
            var sought = open[result.Partition.Value];
            if (!result.IsPartitionEOF && result.Offset.Value < sought.High) Take(tails[sought.Partition], result);
            if (!result.IsPartitionEOF && result.Offset.Value + 1 < sought.High) continue;
            client.End(sought.Partition);
            open.Remove(sought.Partition);
        }
        return all.Select(s => tails[s.Partition]);
    }

    private void Take(PartitionTail tail, ConsumeResult<byte[], byte[]> record)
    {
        try
        {
            tail.Take(StreamRecord.From(record));
        }
        catch (FormatException e)
        {
            throw Unreadable(record, e);
        }
    }

    /// <summary>
    /// Who sent the newest page knew of a page in each partition, and its position says of which. A file that is older, or none, does not:
    /// what of them was not met is to be looked for, since the brokers may have lost it in that partition only.
    /// </summary>
    /// <remarks>
    /// A page brings its position along in one of its partitions. Where the newest position is of an older page than the newest one that is
    /// whole anywhere, that page was acknowledged in all of its partitions before its successor was sent, and is looked for there, too.
    /// </remarks>
    internal static IReadOnlyList<(int Partition, long Page)> KnownToTheNewest(
        IReadOnlyList<PartitionTail> parts, TopicIdentity topic)
    {
        var newest = NewestIn(parts.Where(p => p.Position?.Topic.Matches(topic) == true));
        var known = newest?.Position!.PagesOrNone ?? Watermark.NoOffsets;
        if (newest?.PositionOf is { } end && parts.Any(p => p.Whole?.Page > end.Page))
            known = known.SetItems(end.Partitions.Select(p => KeyValuePair.Create(p, end.Page)));
        return [.. known.Where(k => k.Key < parts.Count && !parts[k.Key].HasMet(k.Value)).Select(k => (k.Key, k.Value))];
    }

    private static PartitionTail? NewestIn(IEnumerable<PartitionTail> parts) =>
        parts.Where(p => p.Position is not null).MaxBy(p => p.Position!.Position);

    /// <param name="parts">What was read of each partition.</param>
    /// <param name="kept">The first offset kept and the end of each.</param>
    /// <param name="lost">Partitions in which a page was looked for and is not there any more.</param>
    internal static TailPosition Sum(
        IReadOnlyList<PartitionTail> parts, IReadOnlyList<(long Low, long High)> kept, IReadOnlySet<int> lost)
    {
        var newest = NewestIn(parts)?.Position;
        var begun = parts.Max(p => p.Begun);
        var whole = parts.Select(p => p.Whole).Where(e => e is not null).MaxBy(e => e!.Page);
        int[] missing = whole is null ? [] : [.. whole.Partitions.Where(p => p >= parts.Count || !parts[p].Has(whole.Page))];
        var decided = parts.Max(p => p.Decided);
        return new TailPosition(
            newest, Math.Max(begun, decided),
            missing is [] ? null : new TornPage(whole!.Page, whole.Partitions, whole.Of, whole.Before, missing),
            kept.Select((k, p) => (k, p)).ToDictionary(x => x.p, x => x.k.High),
            Found(parts, p => p.Decided > 0 ? p.Decided : (long?)null).ToDictionary(x => x.Partition, x => x.Value!.Value),
            Found(parts, p => p.Unbroken).ToDictionary(x => x.Partition, x => x.Value!),
            Found(parts, p => p.Fence is { } fence ? new FoundFence(fence.Publisher, p.FenceOffset) : (FoundFence?)null)
                .ToDictionary(x => x.Partition, x => x.Value!.Value),
            Enumerable.Range(0, parts.Count).Where(p => parts[p].HasLostKnown || lost.Contains(p)).ToHashSet(),
            // Pages of topic format 1 have no frames, and came by transactions all.
            decided == 0 ? newest is not null : whole is { IsNamed: false } && whole.Page == decided);
    }

    private static IEnumerable<(int Partition, T Value)> Found<T>(IEnumerable<PartitionTail> parts, Func<PartitionTail, T> value) =>
        parts.Select((part, p) => (p, value(part))).Where(x => x.Item2 is not null);

    private PipelineException Unreadable(ConsumeResult<byte[], byte[]> record, FormatException e) => new(FailureAction.Stop,
        $"The position that the record of topic {options.Kafka.Topic}, partition {record.Partition.Value}, "
        + $"offset {record.Offset.Value} carries cannot be read: {e.Message}.",
        "A later version of this program wrote it: run that version.", e);
}
