using System.Globalization;
using OrdersStream.Capture;
using OrdersStream.Configuration;
using OrdersStream.Durable;
using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.Lake.Files;
using OrdersStream.Postgres;

namespace OrdersStream.Doctor;

/// <summary>
/// The lake's folder and those of state: whose they are, whether their file systems keep what a commit rests on, and whether there is room.
/// What is tried there leaves nothing behind, and a folder that is not there yet is not made.
/// </summary>
internal sealed class FolderCheck(
    PipelineOptions options, TopicReader topicReader, Func<string, ILakeFiles> openFiles, FindingList findings)
{
    private const long RoomLeast = 1L << 30;

    /// <summary>File systems in memory: what is fsynced there is gone with the machine.</summary>
    private static readonly string[] InMemory = ["tmpfs", "ramfs"];

    /// <param name="source">Which table it is; null: it cannot be told.</param>
    /// <param name="cluster">The brokers; null: they cannot be asked.</param>
    /// <param name="cancellationToken">Ends the looking.</param>
    public async Task RunAsync(SourceIdentity? source, ClusterDescription? cluster, CancellationToken cancellationToken)
    {
        await CheckOwnersAsync(source, cluster, cancellationToken);
        (string Subject, string Path)[] folders =
        [
            ("lake folder", options.Datalake.Path),
            ("checkpoint folder", options.Streaming.CheckpointLocation),
            ("watermark folder", options.Streaming.LastProcessedTimestampLocation),
        ];
        var roots = folders.Select(f => (f.Subject, Root: TryFolder(f.Subject, f.Path))).Where(f => f.Root is not null).ToList();
        if (roots.Select(f => f.Root).Distinct().Count() > 1)
            findings.Warn(new("file systems",
                string.Join(", ", roots.Select(f => $"the {f.Subject} is on {f.Root}"))
                + ": one may be away, full, or put back to an older state without the others, and the stream stops then",
                "put all three on one file system"));
        else if (roots.Count == folders.Length) findings.Good("file systems", $"lake and state lie on one, {roots[0].Root}");
    }

    private async Task CheckOwnersAsync(SourceIdentity? source, ClusterDescription? cluster, CancellationToken cancellationToken)
    {
        var (lake, checkpoint) = (openFiles(options.Datalake.Path), openFiles(options.Streaming.CheckpointLocation));
        var file = new WatermarkFile(options);
        Watermark? position = null;
        var isOurs = findings.Try("position", () =>
        {
            position = file.Read();
            if (source is not null) position?.Source.CheckSameTable(source);
            if (cluster?.Topic is { } present && position is not null) WatermarkRecovery.CheckTopic(file.Path, position.Topic, present);
        });
        if (isOurs)
            findings.Good("position", position is null
                ? "there is no watermark file: nothing was captured yet, or elsewhere"
                : $"{file.Path} is this stream's");
        var owner = await findings.TryAsync<object>("lake owner", async () =>
        {
            if (cluster?.Topic is { } topic) await LakeOwner.CheckAsync(lake, checkpoint, topic, cancellationToken);
            else await LakeOwner.CheckAsync(lake, checkpoint, options.Kafka.Topic, cancellationToken);
            return lake.Has(LakeOwner.FileName);
        }, cancellationToken);
        if (owner is true && cluster is { Partitions: null })
            findings.Fail("lake owner",
                $"the lake has an owner, and topic '{options.Kafka.Topic}' is not there, or this user may not describe it",
                "where it is there, grant the user DESCRIBE; else correct kafka.brokers or kafka.topic; if the topic was deleted, begin a "
                + "new stream (docs/operations.md)");
        else if (owner is not null)
            findings.Good("lake owner", owner is true ? "the lake is this stream's" : "the lake is new: nobody's files lie there");
        if (owner is true && cluster is { Partitions: { } partitions })
            await CheckPositionAsync(TopicCommits.Find(checkpoint, options.Kafka.Topic), partitions, cancellationToken);
    }

    private async Task CheckPositionAsync(TopicCommits? commits, int partitions, CancellationToken cancellationToken)
    {
        // Where it is lost, storing makes it again from the files.
        if (commits is null) return;
        var isThere = await findings.TryAsync<object>("lake position", async () =>
        {
            var ends = await topicReader.PartitionEndsAsync(partitions, KafkaClients.AnswerTimeout, cancellationToken);
            LostRecords.Check(commits, ends);
            return true;
        }, cancellationToken);
        if (isThere is not null) findings.Good("lake position", "Kafka still has what comes next for the lake");
    }

    /// <returns>Its file system; null: it cannot be used, or told.</returns>
    private string? TryFolder(string subject, string path)
    {
        var full = Path.GetFullPath(path);
        var there = full;
        while (!Directory.Exists(there) && Path.GetDirectoryName(there) is { } above) there = above;
        if (!findings.Try(subject, () => FolderProbe.Try(there))) return null;
        var drive = DriveOf(there);
        var room = drive?.AvailableFreeSpace;
        findings.Good(subject,
            (there == full ? $"'{full}' can be written" : $"'{full}' is not there yet, and can be made in '{there}'")
            + $": a name is given to one writer only, and fsync succeeds{(room is { } r ? $"; {Gigabytes(r)} are free" : "")}");
        if (room < RoomLeast)
            findings.Warn(new(subject,
                $"its file system has {Gigabytes(room.Value)} left: where it is full, rows wait", $"make room below {drive!.Name}"));
        if (drive is not null && InMemory.Contains(drive.DriveFormat))
            findings.Warn(new(subject,
                $"its file system is {drive.DriveFormat}, in memory: it is gone with the machine, whatever was fsynced",
                "name a folder on a disk"));
        return drive?.Name;
    }

    private static DriveInfo? DriveOf(string folder)
    {
        try
        {
            return DriveInfo.GetDrives().Where(d => IsBelow(folder, d.Name)).MaxBy(d => d.Name.Length);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static bool IsBelow(string folder, string root) =>
        folder == root
        || folder.StartsWith(root.TrimEnd(Path.DirectorySeparatorChar) + Path.DirectorySeparatorChar, StringComparison.Ordinal);

    private static string Gigabytes(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 30):N1} GiB");
}
