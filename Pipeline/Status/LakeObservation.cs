using System.Collections.Immutable;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.Lake.Files;
using OrdersStream.Rows;

namespace OrdersStream.Status;

/// <summary>
/// A lake that was begun when Kafka had the topic's first records no more: as after a start without the volume of the one before.
/// </summary>
/// <param name="Partition">The first such partition.</param>
/// <param name="Offset">Its first offset that the lake has.</param>
/// <param name="BegunAt">When.</param>
internal sealed record LateBegin(int Partition, long Offset, DateTimeOffset BegunAt);

/// <summary>Whole pages were published, and are nowhere in the topic; nobody has said that it is known.</summary>
/// <param name="Partition">Of which.</param>
/// <param name="Places">At so many places.</param>
/// <param name="MarkerPath">The file by which it is said.</param>
internal sealed record MissingPages(int Partition, long Places, string MarkerPath);

/// <summary>What the lake shows at one moment: its commit logs and its quarantine.</summary>
/// <param name="Status">For the document.</param>
/// <param name="Positions">Per partition, what the log says.</param>
/// <param name="LateBegin">Where it lacks what Kafka had no more when it was begun; null: nowhere that is known.</param>
internal sealed record LakeObservation(
    LakeStatus Status, ImmutableSortedDictionary<int, StoredPosition> Positions, LateBegin? LateBegin)
{
    private const int CommitsRead = 5, FilesShown = 10;

    /// <summary>When the lake was begun; null: it does not say.</summary>
    public DateTimeOffset? BegunAt { get; init; }

    public ImmutableArray<MissingPages> MissingPages { get; init; } = [];

    /// <summary>Nothing was stored yet.</summary>
    public bool IsEmpty => Positions.IsEmpty;

    /// <exception cref="PipelineException">
    /// Lake or commit log is not there, or is another's: nothing is told of it, since it would be guessed.
    /// </exception>
    public static async Task<LakeObservation> ReadAsync(
        PipelineOptions options, TopicIdentity? topic, Func<string, ILakeFiles> openFiles, QuarantineCauses causes,
        CancellationToken cancellationToken)
    {
        var (lake, checkpoint) = (openFiles(options.Datalake.Path), openFiles(options.Streaming.CheckpointLocation));
        // Invariant 6, as an observer sees it: storing would stop.
        if (topic is not null) _ = TopicCommits.Find(checkpoint, topic);
        await LakeOwner.CheckAsync(lake, checkpoint, options.Kafka.Topic, cancellationToken);
        var commits = TopicCommits.Find(checkpoint, options.Kafka.Topic);
        if (commits is null && HasRows(lake, options.Kafka.Topic)) throw LogIsGone(options);
        var recent = commits?.RecentEntries(CommitsRead).ToList() ?? [];
        var newest = recent.Select(entries => entries[0]).ToList();
        var files =
            from entries in recent
            from entry in entries
            from file in entry.Files
            orderby entry.CommittedAt descending, file.Path descending
            select new LakeFileStatus(LakePath.WithoutValues(file.Path), entry.Partition, file.Rows, file.Bytes, entry.CommittedAt);
        // What came again is a row, or in quarantine once more.
        var quarantined = newest.Sum(e => e.State.Quarantined - e.State.Replayed);
        var status = new LakeStatus(
            options.Datalake.Path, Reachable: true, newest.Sum(e => e.State.Rows), newest.Sum(e => e.State.Files), quarantined,
            [.. files.Take(FilesShown)], quarantined > 0 ? causes.Read(lake) : [], newest.Sum(e => e.State.Dropped));
        return new LakeObservation(
            status, newest.ToImmutableSortedDictionary(e => e.Partition, StoredPosition.Of), LateBeginOf(lake, options.Kafka.Topic))
        {
            BegunAt = lake.Find(LakeOwner.FileName)?.WrittenAt,
            MissingPages = [.. newest.Where(e => e.State.Missing > 0).Select(e => MissingOf(commits!, e)).OfType<MissingPages>()],
        };
    }

    private static MissingPages? MissingOf(TopicCommits commits, CommitEntry newest) =>
        commits.LogOf(newest.Partition, TimeProvider.System, CrashPoints.None)
            .AcceptsMissingPages(newest.State.Missing, out var markerPath)
            ? null : new(newest.Partition, newest.State.Missing, markerPath);

    private static LateBegin? LateBeginOf(ILakeFiles lake, string topic)
    {
        if (lake.Find(LakeOwner.FileName) is not { } owner) return null;
        var content = lake.Read(LakeOwner.FileName);
        if (OwnerFile.Read(content, lake.Locate(LakeOwner.FileName)).Topic != topic) return null;
        var begins = OwnerFile.ReadBegins(content) ?? [];
        return begins.Index().FirstOrDefault(b => b.Item > 0) is (var partition, > 0 and var offset)
            ? new LateBegin(partition, offset, owner.WrittenAt) : null;
    }

    private static bool HasRows(ILakeFiles lake, string topic) =>
        lake.Has(LakeOwner.FileName)
        && OwnerFile.Read(lake.Read(LakeOwner.FileName), lake.Locate(LakeOwner.FileName)).Topic == topic
        && lake.ListAll("").Any(f => LakePath.TryParse(f, out _));

    private static PipelineException LogIsGone(PipelineOptions options) => new(FailureAction.Retry,
        $"The commit log is gone: '{options.Streaming.CheckpointLocation}' has none of topic '{options.Kafka.Topic}', and the lake has "
        + "files of it. What is stored cannot be told.",
        "Put the folder back; or start KafkaToLake, again if it runs: it makes the log from the files' footers.");
}

/// <summary>Why records are in quarantine, from the newest of its files; a file that was read is not read again.</summary>
internal sealed class QuarantineCauses
{
    private const int FilesMax = 50;
    private const long FileBytesMax = 4 * 1024 * 1024;

    private readonly Dictionary<string, ImmutableArray<QuarantineCause>> known = [];
    private HashSet<RecordPlace> replayed = [];
    private string replayedBy = "";

    /// <summary>The most frequent first.</summary>
    public ImmutableArray<QuarantineCause> Read(ILakeFiles lake)
    {
        var marks = string.Join('\n', ReplayMarks.Files(lake).Order(StringComparer.Ordinal));
        var newest = Files(lake).OrderByDescending(f => f.Info.WrittenAt).Take(FilesMax).ToList();
        lock (known)
        {
            if (marks != replayedBy)
            {
                known.Clear();
                (replayed, replayedBy) = ([.. ReplayMarks.Files(lake).SelectMany(f => ReplayMarks.In(lake, f))], marks);
            }
            foreach (var gone in known.Keys.Except(newest.Select(f => f.Path)).ToList()) known.Remove(gone);
            foreach (var (path, info) in newest.Where(f => !known.ContainsKey(f.Path))) known[path] = ReadFile(lake, path, info);
            return Sum(known.Values.SelectMany(c => c));
        }
    }

    private static IEnumerable<(string Path, LakeFileInfo Info)> Files(ILakeFiles lake) =>
        from path in lake.List(LakePath.QuarantineFolder)
        where LakePath.TryParse(path, out var name) && name.Kind == LakeFileKind.Quarantine
        let info = lake.Find(path)
        where info is not null
        select (path, info.Value);

    private ImmutableArray<QuarantineCause> ReadFile(ILakeFiles lake, string path, LakeFileInfo info) =>
        info.Bytes > FileBytesMax || !LakePath.TryParse(path, out var name)
            ? [new("(a file too large to be looked through)", 1)]
            : Sum(QuarantineLines.ReadIn(lake, path, name).Where(r => !replayed.Contains(r.Place))
                .Select(r => new QuarantineCause(r.Reason, 1)));

    private static ImmutableArray<QuarantineCause> Sum(IEnumerable<QuarantineCause> causes)
    {
        var sums = causes.GroupBy(c => c.Reason, (reason, same) => new QuarantineCause(reason, same.Sum(c => c.Records)));
        return [.. sums.OrderByDescending(c => c.Records).ThenBy(c => c.Reason, StringComparer.Ordinal)];
    }
}
