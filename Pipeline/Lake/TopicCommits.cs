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
/// <c>topic.json</c>; a topic of the same name but another id is another topic (invariant 6).
/// </summary>
internal sealed class TopicCommits
{
    private const string Root = "commits", OwnerFile = "topic.json";
    private const int FormatVersion = 1;

    private readonly TopicIdentity topic;

    private readonly ILakeFiles checkpoint;
    private readonly string folder;

    private TopicCommits(ILakeFiles checkpoint, string folder, TopicIdentity topic) =>
        (this.checkpoint, this.folder, this.topic) = (checkpoint, folder, topic);

    /// <summary>The folder's name, which no other topic's folder has.</summary>
    public string Name => LakeFilesReading.NameOf(folder);

    /// <summary>The log of one partition.</summary>
    public CommitLog LogOf(int partition, TimeProvider time, CrashPoints crashPoints) => new(
        checkpoint, string.Create(CultureInfo.InvariantCulture, $"{folder}/{partition}"), topic, partition, time, crashPoints);

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

    private IEnumerable<CommitLog> Logs() =>
        from partition in checkpoint.Folders(folder)
        let name = LakeFilesReading.NameOf(partition)
        where int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out _)
        select LogOf(int.Parse(name, CultureInfo.InvariantCulture), TimeProvider.System, CrashPoints.None);

    /// <summary>Finds the topic's folder or makes it.</summary>
    /// <exception cref="PipelineException">The checkpoint belongs to another topic of this name.</exception>
    public static TopicCommits Open(ILakeFiles checkpoint, TopicIdentity topic)
    {
        foreach (var folder in checkpoint.Folders(Root).Order(StringComparer.Ordinal))
        {
            if (ReadOwner(checkpoint, folder) is not { } owner || owner.Topic != topic.Topic) continue;
            if (owner.Matches(topic)) return new TopicCommits(checkpoint, folder, topic);
            if (HasEntries(checkpoint, folder)) throw AnotherTopic(checkpoint.Locate(folder), owner, topic);
        }
        var own = $"{Root}/{FolderName(topic)}";
        // Another storer may have made it just now; a folder that names its topic and whose file names another was altered.
        if (!checkpoint.TryCreate($"{own}/{OwnerFile}", WriteOwner(topic), CrashPoint.TopicOwnerWritten)
            && ReadOwner(checkpoint, own)?.Topic != topic.Topic)
        {
            throw Unusable(checkpoint, $"{own}/{OwnerFile}", "it names another topic than its folder", null);
        }
        return new TopicCommits(checkpoint, own, topic);
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

    private static PipelineException AnotherTopic(string folder, TopicIdentity owner, TopicIdentity topic) => new(
        topic.ActionWhereOther(owner),
        $"The checkpoint belongs to another topic of the name '{topic.Topic}': '{folder}' is of {Describe(owner)}, "
        + $"the brokers have {Describe(topic)}.",
        "If the topic was deleted and made anew, its offsets began again at 0: "
        + "give it a new streaming.checkpoint_location and datalake.path, or move both folders away. "
        + "If kafka.brokers points at another cluster, correct it.");

    private static string Describe(TopicIdentity topic) =>
        topic.TopicId is { } id ? $"topic id {id}"
        : topic.ClusterId.Length > 0 ? $"cluster {topic.ClusterId} (no topic id)"
        : "a cluster without ids";

    private static byte[] WriteOwner(TopicIdentity topic) => StateEnvelope.Seal(FormatVersion, topic.Topic, json =>
    {
        json.WriteString("clusterId", topic.ClusterId);
        json.WriteString("topic", topic.Topic);
        json.WriteString("topicId", topic.TopicId);
    });

    private static TopicIdentity? ReadOwner(ILakeFiles checkpoint, string folder)
    {
        var path = $"{folder}/{OwnerFile}";
        if (!checkpoint.Has(path)) return null;
        try
        {
            using var document = StateEnvelope.Open(checkpoint.Read(path), FormatVersion);
            var root = document.RootElement;
            return new TopicIdentity(
                root.GetProperty("clusterId").GetString()!, root.GetProperty("topic").GetString()!,
                root.GetProperty("topicId").GetString());
        }
        catch (FormatException e)
        {
            throw Unusable(checkpoint, path, e.Message, e);
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException)
        {
            throw Unusable(checkpoint, path, "it is not the JSON of a topic's identity", e);
        }
    }

    private static PipelineException Unusable(ILakeFiles checkpoint, string path, string why, Exception? cause) => new(
        FailureAction.Stop, $"'{checkpoint.Locate(path)}' cannot be used: {why}.",
        "Use the version of the program that wrote it, or restore the file from a backup.", cause);
}
