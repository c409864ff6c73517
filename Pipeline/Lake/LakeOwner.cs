using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Kafka;
using OrdersStream.Lake.Files;

namespace OrdersStream.Lake;

/// <summary>
/// Whose the lake's folder is (invariant 6): <c>_orders_stream.json</c> in it names the topic, and the lake by an id that no other
/// has. It is there before anything else, and is looked at again before every commit: where a volume is not mounted, or the folder
/// was moved, an empty folder or another lake lies in its place, and what would be written there is hidden once it is back. The file
/// is the proof, and not the numbers of device and folder: those change when the same volume is mounted again, and are the same
/// where a folder was only emptied. One of these serves a process: it knows what lake the process began with.
/// </summary>
internal sealed class LakeOwner(ILakeFiles lake, ILakeFiles checkpoint, TimeProvider time)
{
    public const string FileName = "_orders_stream.json";

    /// <summary>Beside it: by which commit log the lake is filled. By two of them it would get each record twice (invariant 3).</summary>
    public const string LogFileName = "_orders_stream_log.json";

    // The commit log by which this process fills the lake.
    private string? logId;

    // The owner file as this process found it.
    private byte[]? known;
    private long checkedAt;

    /// <summary>
    /// Makes sure that the lake is the topic's before anything is written. A lake that is new or of an earlier version gets its owner
    /// here: of two that try, one wins, and both go on with what it wrote.
    /// </summary>
    /// <exception cref="PipelineException">It is another's, or not there.</exception>
    /// <param name="topic">Whose it is to be.</param>
    /// <param name="beginsAsync">The first offset that Kafka keeps of each partition: where a lake that is new begins.</param>
    /// <param name="cancellationToken">Ends the asking.</param>
    public async Task ClaimAsync(
        TopicIdentity topic, Func<CancellationToken, Task<IReadOnlyList<long>>> beginsAsync, CancellationToken cancellationToken)
    {
        try
        {
            var file = await FindAsync(topic, TopicCommits.Find(checkpoint, topic), cancellationToken)
                ?? Create(topic, await beginsAsync(cancellationToken));
            if (known is { } before && !file.AsSpan().SequenceEqual(before)) throw Replaced();
            known = file;
            Begins = OwnerFile.ReadBegins(file);
            LakeId = OwnerFile.ReadLakeId(file);
            ClaimLog(TopicCommits.Open(checkpoint, topic));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw LakePath.WithoutValues(e, Folder);
        }
    }

    /// <summary>The lake is still there, and the same.</summary>
    /// <exception cref="PipelineException">It is not; it may come back.</exception>
    public void Check()
    {
        checkedAt = time.GetTimestamp();
        if (known is { } before && !(Read() ?? throw Away()).AsSpan().SequenceEqual(before)) throw Replaced();
        if (logId is not null && ReadLogId() != logId) throw TakenOver();
    }

    /// <summary>The same where the last look is so long ago: that a lake is away is news also while nothing is to be stored.</summary>
    public void CheckWhenDue(TimeSpan interval)
    {
        if (time.GetElapsedTime(checkedAt) >= interval) Check();
    }

    /// <summary>For those who only read: what the commit log says of a lake is true only where that lake is.</summary>
    /// <exception cref="PipelineException">It is not there, or is another's.</exception>
    public static async Task CheckAsync(ILakeFiles lake, ILakeFiles checkpoint, string topicName, CancellationToken cancellationToken)
    {
        var commits = TopicCommits.Find(checkpoint, topicName);
        // Where no commit log tells of the topic's ids, its name alone is compared.
        _ = await new LakeOwner(lake, checkpoint, TimeProvider.System)
            .FindAsync(commits?.Topic ?? TopicIdentity.ByName(topicName), commits, cancellationToken);
    }

    /// <summary>The same for who answers by what the lake has: where there is none, nothing was looked at.</summary>
    /// <exception cref="PipelineException">There is none, it is not there, or is another's.</exception>
    public static async Task CheckIsThereAsync(
        ILakeFiles lake, ILakeFiles checkpoint, string topicName, CancellationToken cancellationToken)
    {
        await CheckAsync(lake, checkpoint, topicName, cancellationToken);
        if (TopicCommits.Find(checkpoint, topicName) is null && !lake.Has(FileName) && !lake.ListAll("").Any(IsDataFile))
            throw Nowhere(lake, checkpoint);
    }

    /// <summary>Nothing tells of a lake of this stream.</summary>
    public static PipelineException Nowhere(ILakeFiles lake, ILakeFiles checkpoint) => new(FailureAction.Stop,
        $"There is no lake of this stream: '{lake.Locate("")}' has no file of it, and '{checkpoint.Locate("")}' no commit log.",
        "Mount their volume, or correct datalake.path and streaming.checkpoint_location. Before anything was stored there is nothing to "
        + "look into.");

    /// <summary>The same by the topic's identity, also of a lake of which no commit log tells yet.</summary>
    /// <exception cref="PipelineException">It is not there, or is another's.</exception>
    public static async Task CheckAsync(ILakeFiles lake, ILakeFiles checkpoint, TopicIdentity topic, CancellationToken cancellationToken) =>
        _ = await new LakeOwner(lake, checkpoint, TimeProvider.System)
            .FindAsync(topic, TopicCommits.Find(checkpoint, topic), cancellationToken);

    /// <summary>
    /// The offset at which the lake begins, of each partition that the topic had then; null: it is of an earlier version, and says nothing.
    /// </summary>
    public IReadOnlyList<long>? Begins { get; private set; }

    /// <summary>What tells it from any other lake; null: it was not claimed yet.</summary>
    public string? LakeId { get; private set; }

    private string Folder => lake.Locate("");

    /// <summary>The owner file, once it is found to be the topic's; null: there is none, and nothing speaks against one.</summary>
    private async Task<byte[]?> FindAsync(TopicIdentity topic, TopicCommits? commits, CancellationToken cancellationToken)
    {
        if (Read() is { } file) return Checked(file, topic);
        if (known is not null) throw Away();
        if (await HasFilesAsync(topic, cancellationToken) || commits?.HaveFiles is not true) return null;
        // Another storer may have begun the lake, and stored, since the first look.
        return Checked(Read() ?? throw Away(), topic);
    }

    /// <summary>
    /// The lake is filled by one commit log. Where that was lost, its successor has none of its entries: then the lake says so first, which
    /// ends a storer that still has it before its next commit, and the log is brought up to the lake.
    /// </summary>
    private void ClaimLog(TopicCommits commits)
    {
        var own = commits.FindId();
        if (ReadLogId() is { } other && other != own)
        {
            if (commits.HaveEntries) throw AnotherLog();
            lake.Remove(LogFileName);
        }
        // Of two that try, one wins; and the other looks again when it is opened again.
        _ = lake.TryCreate(LogFileName, OwnerFile.Write(commits.Topic, logId: own), CrashPoint.LakeOwnerWritten);
        if (ReadLogId() != own) throw TakenOver();
        logId = own;
    }

    private string? ReadLogId()
    {
        if (ReadFile(LogFileName) is not { } file) return null;
        _ = OwnerFile.Read(file, lake.Locate(LogFileName));
        return OwnerFile.ReadLogId(file);
    }

    private byte[] Create(TopicIdentity topic, IReadOnlyList<long> begins)
    {
        _ = lake.TryCreate(FileName, OwnerFile.Write(topic, Guid.NewGuid().ToString("N"), begins), CrashPoint.LakeOwnerWritten);
        return Checked(Read() ?? throw Away(), topic);
    }

    private byte[] Checked(byte[] file, TopicIdentity topic)
    {
        var owner = OwnerFile.Read(file, lake.Locate(FileName));
        if (owner.Topic != topic.Topic) throw Anothers($"'{lake.Locate(FileName)}' names it", owner, topic);
        return owner.Matches(topic) ? file : throw OwnerFile.AnotherTopic("lake", Folder, owner, topic);
    }

    /// <summary>A folder without owner is new, or of an earlier version: then its files say whose it is.</summary>
    private async Task<bool> HasFilesAsync(TopicIdentity topic, CancellationToken cancellationToken)
    {
        var quarantine = lake.List(LakePath.QuarantineFolder).Where(f => LakePath.TryParse(f, out _)).ToList();
        foreach (var path in quarantine)
        {
            if (QuarantineLines.TopicIn(lake, path) is { } other && other != topic.Topic)
                throw Anothers($"'{lake.Locate(path)}' holds records of it", new TopicIdentity("", other, null), topic);
        }
        return await HasDataFilesAsync(topic, cancellationToken) || quarantine.Count > 0;
    }

    private async Task<bool> HasDataFilesAsync(TopicIdentity topic, CancellationToken cancellationToken)
    {
        var any = false;
        foreach (var path in lake.ListAll("").Where(IsDataFile).Order(StringComparer.Ordinal))
        {
            any = true;
            if (await FindTopicAsync(path, cancellationToken) is not { } owner) continue;
            if (owner.Topic != topic.Topic)
                throw Anothers($"'{LakePath.WithoutValues(lake.Locate(path), Folder)}' holds rows of it", owner, topic);
            if (!owner.Matches(topic)) throw OwnerFile.AnotherTopic("lake", Folder, owner, topic);
            break; // one tells: a lake of an earlier version may have any number
        }
        return any;
    }

    // Recovery stops at a file that cannot be read where it matters.
    private async Task<TopicIdentity?> FindTopicAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            return (await LakeReader.ReadFooterAsync(lake, path, cancellationToken)).Topic;
        }
        catch (FormatException)
        {
            return null;
        }
    }

    private static bool IsDataFile(string path) => LakePath.TryParse(path, out var name) && name.Kind == LakeFileKind.Data;

    private byte[]? Read() => ReadFile(FileName);

    private byte[]? ReadFile(string name)
    {
        try
        {
            return lake.Read(name);
        }
        catch (FileNotFoundException)
        {
            return null;
        }
    }

    private static PipelineException Anothers(string evidence, TopicIdentity owner, TopicIdentity topic) => new(FailureAction.Stop,
        $"The lake's folder belongs to another stream, '{owner.Topic}', and this is '{topic.Topic}': {evidence}.",
        "Give each stream a datalake.path of its own. Nothing was changed there.");

    private PipelineException AnotherLog() => new(FailureAction.Stop,
        $"The lake is filled by another commit log than this storer's, which has entries of its own: '{lake.Locate(LogFileName)}' names "
        + "it. Both would store what the topic has.",
        "Give all storers of a stream one streaming.checkpoint_location. If no other runs, and this one's folder is to count from now on "
        + "(a backup was put back, or the lake), remove that file and start again: what the lake has beyond it is found in its files.");

    private PipelineException TakenOver() => new(new FailureVerdict(FailureAction.Retry,
        $"The lake is filled by another commit log since: '{lake.Locate(LogFileName)}' does not name this storer's any more.",
        "Nothing is committed by this one meanwhile; both are looked at anew.", SeesItself: true));

    private PipelineException Away() => new(new FailureVerdict(FailureAction.Retry,
        $"The lake's volume went away: '{lake.Locate(FileName)}' is not there, though this stream has stored files; or datalake.path was "
        + "changed.",
        "Nothing is written there meanwhile. Mount the volume again, move the folder back, or give datalake.path back the value that it "
        + $"had. If the lake was removed, or is to begin anew elsewhere, remove '{checkpoint.Locate(TopicCommits.Root)}' too and start "
        + "again: the lake is filled from the topic, as far as it reaches.", SeesItself: true));

    private PipelineException Replaced() => new(new FailureVerdict(FailureAction.Retry,
        $"The lake's volume went away: another lake lies in '{Folder}' than the one that this process began with.",
        "Nothing is written there meanwhile. Mount the lake's own volume again, or move its folder back. If it was replaced on "
        + "purpose, start again.", SeesItself: true));
}
