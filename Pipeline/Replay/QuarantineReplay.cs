using System.Collections.Immutable;
using Confluent.Kafka;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.Lake.Files;
using OrdersStream.Rows;

namespace OrdersStream.Replay;

/// <summary>What became of a replay.</summary>
/// <param name="Sent">Records that are in the topic.</param>
/// <param name="UnderWay">Those of them that an earlier replay had begun with: they were sent as that one had them.</param>
/// <param name="Refused">Records that stay in quarantine, since they are no rows as they are, and why.</param>
public sealed record ReplayOutcome(long Sent, long UnderWay, ImmutableArray<(string Record, string Why)> Refused);

/// <summary>
/// Quarantine, from any process: what is there, and sending it again. Each record that is sent again is decided once, however often
/// anybody dies or tries again: a file says first what is sent, the storing half commits what becomes of it together with the mark that
/// it came again, and drops all copies behind that (invariant 3).
/// </summary>
public sealed class QuarantineReplay
{
    /// <summary>Records, and bytes of them, that are sent at once.</summary>
    private const int RecordsMax = 1000, BytesMax = 8 * 1024 * 1024;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    private readonly PipelineOptions options;
    private readonly TopicAdmin admin;
    private readonly ILakeFiles lake;
    private readonly ILakeFiles checkpoint;

    internal QuarantineReplay(PipelineOptions options, TopicAdmin admin, Func<string, ILakeFiles> openFiles)
    {
        (this.options, this.admin) = (options, admin);
        (lake, checkpoint) = (openFiles(options.Datalake.Path), openFiles(options.Streaming.CheckpointLocation));
    }

    private string Topic => options.Kafka.Topic;

    /// <summary>What waits there, by cause.</summary>
    /// <exception cref="PipelineException">The lake is not there, or another's.</exception>
    public async Task<QuarantineSummary> SummarizeAsync(CancellationToken cancellationToken)
    {
        var replayed = await ReplayedAsync(cancellationToken);
        var causes = new Dictionary<string, Dictionary<(int, int), Stretch>>();
        foreach (var record in QuarantinedRecord.Waiting(lake, Topic, replayed))
        {
            if (!causes.TryGetValue(record.Reason, out var stretches)) causes[record.Reason] = stretches = [];
            var of = (record.Place.Partition, record.Place.Generation);
            if (!stretches.TryGetValue(of, out var stretch)) stretches[of] = stretch = new Stretch();
            stretch.Add(record);
        }
        var groups =
            from cause in causes
            let records = cause.Value.Values.Sum(s => s.Records)
            orderby records descending, cause.Key
            select new QuarantineGroup(
                cause.Key, records, cause.Value.Values.Min(s => s.Since), cause.Value.Values.Max(s => s.Until),
                [.. cause.Value.OrderBy(s => s.Key).Select(s => s.Value.Of(s.Key.Item1, s.Key.Item2))]);
        ImmutableArray<QuarantineGroup> all = [.. groups];
        return new(all.Sum(g => g.Records), replayed.Count, all);
    }

    /// <summary>Records with all that they hold, by file and line.</summary>
    /// <param name="selection">Which.</param>
    /// <param name="asJson">One line of JSON each; else as people read them.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="PipelineException">The lake is not there, or another's.</exception>
    public async Task<IEnumerable<string>> ShowAsync(RecordSelection selection, bool asJson, CancellationToken cancellationToken)
    {
        var found = QuarantinedRecord.Waiting(lake, Topic, await ReplayedAsync(cancellationToken)).Where(selection.Has);
        return asJson ? found.Select(RecordLines.Of) : found.SelectMany(RecordLines.Paragraph);
    }

    /// <summary>Sends records again. On return they are in the topic; the storing half puts them where they belong.</summary>
    /// <param name="selection">Which.</param>
    /// <param name="correctionsPath">A file with corrections: only records that it names are sent; null: as they were.</param>
    /// <param name="cancellationToken">Ends it between two batches of records.</param>
    /// <exception cref="PipelineException">The lake or the topic is not there, or the file cannot be read.</exception>
    /// <exception cref="KafkaException">No broker answers, or it refuses; to call again goes on.</exception>
    public async Task<ReplayOutcome> SendAsync(RecordSelection selection, string? correctionsPath, CancellationToken cancellationToken)
    {
        var corrections = correctionsPath is null ? null : RecordLines.ReadFile(correctionsPath);
        await CheckOwnerAsync(cancellationToken);
        var topic = await FindTopicAsync(cancellationToken);
        using var sender = new ReplaySender(options, topic.Settings?.RecordBytesMax);
        var tally = new Tally();
        // Again where another replays at the same time: its records are sent as it has them.
        while (!await TrySendAsync(selection, corrections, topic.Partitions, sender, tally, cancellationToken))
            tally = new Tally();
        return tally.End(corrections);
    }

    private async Task<bool> TrySendAsync(
        RecordSelection selection, IReadOnlyDictionary<RecordPlace, Correction>? corrections, int partitions, ReplaySender sender,
        Tally tally, CancellationToken cancellationToken)
    {
        var log = new ReplayLog(checkpoint, options.StreamName);
        var under = log.Open(() => ReplayMarks.By(lake, Topic), out var replayed);
        var records = new ReplayableRecord(
            new SchemaStore(options.Streaming.CheckpointLocation), NewestSchemas(), partitions, sender.RecordBytesMax);
        // First what was begun with: of two records of one key that no page tells apart the later one counts, as it did then.
        await SendBegunAsync();
        var next = new List<OutgoingReplay>();
        var bytes = 0L;
        foreach (var record in Chosen().Where(r => !under.ContainsKey(r.Place)))
        {
            var correction = corrections?.GetValueOrDefault(record.Place);
            tally.Chosen(record.Place);
            if (records.TryMake(record, correction, out var fault) is not { } outgoing) tally.Refuse(record.Place.ToString(), fault);
            else
            {
                next.Add(outgoing);
                bytes += outgoing.Key.Length + outgoing.Value.Length;
            }
            if (next.Count < RecordsMax && bytes < BytesMax) continue;
            if (!await TrySendAsync(next)) return false;
        }
        return next.Count == 0 || await TrySendAsync(next);

        IEnumerable<QuarantinedRecord> Chosen() => QuarantinedRecord.Waiting(lake, Topic, replayed)
            .Where(r => selection.Has(r) && corrections?.ContainsKey(r.Place) != false);

        async Task SendBegunAsync()
        {
            var begun = under.Count == 0 ? [] : Chosen().Select(r => r.Place).Where(under.ContainsKey).ToList();
            foreach (var file in begun.GroupBy(place => under[place]).OrderBy(f => f.Key))
            {
                var wanted = file.ToHashSet();
                List<OutgoingReplay> again = [.. log.Read(file.Key).Where(r => wanted.Contains(r.Place))];
                await sender.SendAsync(again, cancellationToken);
                foreach (var place in wanted) tally.Chosen(place);
                tally.Sent += again.Count;
                tally.UnderWay += again.Count;
            }
        }

        async Task<bool> TrySendAsync(List<OutgoingReplay> some)
        {
            if (!log.TryAppend(some)) return false;
            await sender.SendAsync(some, cancellationToken);
            tally.Sent += some.Count;
            some.Clear();
            bytes = 0;
            return true;
        }
    }

    private async Task<HashSet<RecordPlace>> ReplayedAsync(CancellationToken cancellationToken)
    {
        await CheckOwnerAsync(cancellationToken);
        return ReplayMarks.By(lake, Topic);
    }

    // Invariant 6.
    private Task CheckOwnerAsync(CancellationToken cancellationToken) =>
        LakeOwner.CheckIsThereAsync(lake, checkpoint, Topic, cancellationToken);

    private async Task<(int Partitions, TopicSettings? Settings)> FindTopicAsync(CancellationToken cancellationToken)
    {
        if (await admin.FindAsync(cancellationToken) is { } topic)
        {
            // One of the same name that was made anew has other records at these offsets (invariant 6).
            _ = TopicCommits.Find(checkpoint, topic.Identity);
            return (topic.Partitions, topic.Settings);
        }
        if ((await admin.DescribeClusterAsync(Patience, cancellationToken)).Partitions is { } partitions) return (partitions, null);
        throw new PipelineException(FailureAction.Stop,
            $"There is no topic '{Topic}' at {options.Kafka.Brokers}.", "Correct kafka.topic or kafka.brokers.");
    }

    private Dictionary<int, string> NewestSchemas() => (TopicCommits.Find(checkpoint, Topic)?.NewestEntries() ?? [])
        .Where(e => e.State.Fingerprint is not null).ToDictionary(e => e.Partition, e => e.State.Fingerprint!);

    private sealed class Tally
    {
        private readonly List<(string, string)> refused = [];
        private readonly HashSet<RecordPlace> chosen = [];

        public long Sent { get; set; }
        public long UnderWay { get; set; }

        public void Chosen(RecordPlace place) => chosen.Add(place);

        public void Refuse(string record, string why) => refused.Add((record, why));

        public ReplayOutcome End(IReadOnlyDictionary<RecordPlace, Correction>? corrections)
        {
            foreach (var place in (corrections?.Keys ?? []).Where(p => !chosen.Contains(p)))
                Refuse(place.ToString(), "it does not wait in quarantine, or is not among those that were asked for");
            return new(Sent, UnderWay, [.. refused]);
        }
    }

    private sealed class Stretch
    {
        private readonly SortedSet<string> files = new(StringComparer.Ordinal);
        private long first = long.MaxValue, last = -1;

        public long Records { get; private set; }
        public DateTimeOffset? Since { get; private set; }
        public DateTimeOffset? Until { get; private set; }

        public void Add(QuarantinedRecord record)
        {
            Records++;
            (first, last) = (Math.Min(first, record.Place.Offset), Math.Max(last, record.Place.Offset));
            files.Add(record.File);
            if (RecordTime.Of(record.TimestampMs) is not { } at) return;
            (Since, Until) = (Since < at ? Since : at, Until > at ? Until : at);
        }

        public QuarantineStretch Of(int partition, int generation) => new(partition, generation, Records, first, last, [.. files]);
    }
}
