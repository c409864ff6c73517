using System.Collections.Immutable;
using System.Globalization;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Kafka;
using OrdersStream.Lake.Files;

namespace OrdersStream.Lake;

/// <summary>What the lake's commit log says of one partition.</summary>
/// <param name="NextRecord">Offset of the next record; a transaction marker that follows the last one is passed over.</param>
/// <param name="Newest">The newest entry.</param>
public sealed record StoredPosition(long NextRecord, CommitEntry Newest)
{
    internal static StoredPosition Of(CommitEntry newest) => new(newest.State.NextOffset + (newest.State.PageEnded ? 1 : 0), newest);
}

/// <summary>
/// The commit logs of one topic: <c>commits/&lt;topic id&gt;/&lt;partition&gt;/</c> of the checkpoint. The folder names its topic in
/// <c>topic.json</c> (invariant 6).
/// </summary>
internal sealed class TopicCommits
{
    /// <summary>The folder of all topics' commits.</summary>
    public const string Root = "commits";

    private const string OwnerFileName = "topic.json";

    /// <summary>Beside it: what tells these commit logs from any other storer's.</summary>
    private const string IdFileName = "log.json";

    private readonly ILakeFiles checkpoint;
    private readonly string folder;

    private TopicCommits(ILakeFiles checkpoint, string folder, TopicIdentity topic) =>
        (this.checkpoint, this.folder, Topic) = (checkpoint, folder, topic);

    /// <summary>Whose they are.</summary>
    public TopicIdentity Topic { get; }

    /// <summary>They say that the lake has files.</summary>
    public bool HaveFiles => NewestEntries().Any(e => e.State.Files + e.State.Quarantined > 0);

    /// <summary>The folder's name, which no other topic's folder has.</summary>
    public string Name => LakeFilesReading.NameOf(folder);

    /// <summary>They say that something was stored.</summary>
    public bool HaveEntries => HasEntries(checkpoint, folder);

    /// <summary>What tells them from those of any other folder, wherever it is moved; written here where there is none.</summary>
    public string FindId()
    {
        var path = $"{folder}/{IdFileName}";
        if (!checkpoint.Has(path))
            _ = checkpoint.TryCreate(
                path, OwnerFile.Write(Topic, logId: Guid.NewGuid().ToString("N")), CrashPoint.TopicOwnerWritten);
        var file = checkpoint.Read(path);
        _ = OwnerFile.Read(file, checkpoint.Locate(path));
        return OwnerFile.ReadLogId(file) ?? throw OwnerFile.Unusable(checkpoint.Locate(path), "it names no commit log");
    }

    /// <summary>The log of one partition.</summary>
    public CommitLog LogOf(int partition, TimeProvider time, CrashPoints crashPoints) => new(
        checkpoint, string.Create(CultureInfo.InvariantCulture, $"{folder}/{partition}"), Topic, partition, time, crashPoints);

    /// <summary>The newest entry of each partition's log.</summary>
    public IEnumerable<CommitEntry> NewestEntries() =>
        from log in Logs()
        let newest = log.ReadNewest()
        where newest is not null
        select newest;

    /// <summary>A few of the newest entries of each partition's log, the newest first.</summary>
    public IEnumerable<IReadOnlyList<CommitEntry>> RecentEntries(int count) =>
        from log in Logs()
        let recent = log.ReadRecent(count)
        where recent.Count > 0
        select recent;

    /// <summary>The first entry and the last one of each day of each partition's log.</summary>
    public IEnumerable<IReadOnlyList<CommitEntry>> DayEnds() =>
        from log in Logs()
        let ends = log.ReadDayEnds()
        where ends.Count > 0
        select ends;

    private IEnumerable<CommitLog> Logs() =>
        from partition in checkpoint.Folders(folder)
        let name = LakeFilesReading.NameOf(partition)
        where int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out _)
        select LogOf(int.Parse(name, CultureInfo.InvariantCulture), TimeProvider.System, CrashPoints.None);

    /// <summary>Finds the topic's folder or makes it.</summary>
    /// <exception cref="PipelineException">The checkpoint belongs to another topic of this name.</exception>
    public static TopicCommits Open(ILakeFiles checkpoint, TopicIdentity topic)
    {
        if (Find(checkpoint, topic) is { } found) return found;
        var own = $"{Root}/{FolderName(topic)}";
        // Another storer may have made it just now; a folder that names its topic and whose file names another was altered.
        if (!checkpoint.TryCreate($"{own}/{OwnerFileName}", OwnerFile.Write(topic), CrashPoint.TopicOwnerWritten)
            && ReadOwner(checkpoint, own)?.Topic != topic.Topic)
        {
            throw OwnerFile.Unusable(checkpoint.Locate($"{own}/{OwnerFileName}"), "it names another topic than its folder");
        }
        return new TopicCommits(checkpoint, own, topic);
    }

    /// <summary>The topic's folder; null where there is none yet.</summary>
    /// <exception cref="PipelineException">The checkpoint belongs to another topic of this name.</exception>
    public static TopicCommits? Find(ILakeFiles checkpoint, TopicIdentity topic)
    {
        foreach (var folder in checkpoint.Folders(Root).Order(StringComparer.Ordinal))
        {
            if (ReadOwner(checkpoint, folder) is not { } owner || owner.Topic != topic.Topic) continue;
            if (owner.Matches(topic)) return new TopicCommits(checkpoint, folder, topic);
            if (HasEntries(checkpoint, folder)) throw OwnerFile.AnotherTopic("checkpoint", checkpoint.Locate(folder), owner, topic);
        }
        return null;
    }

    /// <summary>The folder of a topic by its name alone, for readers; null where nothing was stored yet.</summary>
    public static TopicCommits? Find(ILakeFiles checkpoint, string topicName) =>
        checkpoint.Folders(Root).Order(StringComparer.Ordinal)
            .Where(folder => HasEntries(checkpoint, folder))
            .Select(folder => ReadOwner(checkpoint, folder) is { } owner && owner.Topic == topicName
                ? new TopicCommits(checkpoint, folder, owner)
                : null)
            .FirstOrDefault(commits => commits is not null);

    /// <summary>The lake's position in each partition that it has anything of, by the topic's name alone.</summary>
    public static ImmutableSortedDictionary<int, StoredPosition> Positions(ILakeFiles checkpoint, string topicName) =>
        (Find(checkpoint, topicName)?.NewestEntries() ?? []).ToImmutableSortedDictionary(e => e.Partition, StoredPosition.Of);

    private static string FolderName(TopicIdentity topic) =>
        PathSegment.Encode(topic.TopicId ?? $"{(topic.ClusterId.Length == 0 ? "cluster" : topic.ClusterId)}-{topic.Topic}");

    private static bool HasEntries(ILakeFiles checkpoint, string folder) =>
        checkpoint.Folders(folder).Any(p => checkpoint.List(p).Any(f => f.EndsWith(".json", StringComparison.Ordinal)));

    private static TopicIdentity? ReadOwner(ILakeFiles checkpoint, string folder)
    {
        var path = $"{folder}/{OwnerFileName}";
        return checkpoint.Has(path) ? OwnerFile.Read(checkpoint.Read(path), checkpoint.Locate(path)) : null;
    }
}
