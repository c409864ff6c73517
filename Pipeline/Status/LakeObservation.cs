using System.Collections.Immutable;
using System.Text.Json;
using OrdersStream.Configuration;
using OrdersStream.Lake;

namespace OrdersStream.Status;

/// <summary>What the lake shows at one moment: its commit logs and its quarantine.</summary>
/// <param name="Status">For the document.</param>
/// <param name="Positions">Per partition, what the log says.</param>
internal sealed record LakeObservation(LakeStatus Status, ImmutableSortedDictionary<int, StoredPosition> Positions)
{
    private const int CommitsRead = 5, FilesShown = 10;

    public static LakeObservation Read(PipelineOptions options, QuarantineCauses causes)
    {
        var commits = TopicCommits.Find(options.Streaming.CheckpointLocation, options.Kafka.Topic);
        var recent = commits?.RecentEntries(CommitsRead).ToList() ?? [];
        var newest = recent.Select(entries => entries[0]).ToList();
        var files =
            from entries in recent
            from entry in entries
            from file in entry.Files
            orderby entry.CommittedAt descending, file.Path descending
            select new LakeFileStatus(LakePath.WithoutValues(file.Path), entry.Partition, file.Rows, file.Bytes, entry.CommittedAt);
        var quarantined = newest.Sum(e => e.State.Quarantined);
        var status = new LakeStatus(
            options.Datalake.Path, Reachable: true, newest.Sum(e => e.State.Rows), newest.Sum(e => e.State.Files), quarantined,
            [.. files.Take(FilesShown)], quarantined > 0 ? causes.Read(options.Datalake.Path) : []);
        return new LakeObservation(status, newest.ToImmutableSortedDictionary(e => e.Partition, StoredPosition.Of));
    }
}

/// <summary>Why records are in quarantine, from the newest of its files; a file that was read is not read again.</summary>
internal sealed class QuarantineCauses
{
    private const int FilesMax = 50;
    private const long FileBytesMax = 4 * 1024 * 1024;

    private readonly Dictionary<string, ImmutableArray<QuarantineCause>> known = [];

    /// <summary>The most frequent first.</summary>
    public ImmutableArray<QuarantineCause> Read(string lakePath)
    {
        var folder = new DirectoryInfo(Path.Combine(lakePath, LakePath.QuarantineFolder));
        if (!folder.Exists) return [];
        var newest = folder.EnumerateFiles("quarantine-*.jsonl").OrderByDescending(f => f.LastWriteTimeUtc).Take(FilesMax).ToList();
        lock (known)
        {
            foreach (var gone in known.Keys.Except(newest.Select(f => f.FullName)).ToList()) known.Remove(gone);
            foreach (var file in newest.Where(f => !known.ContainsKey(f.FullName))) known[file.FullName] = ReadFile(file);
            return Sum(known.Values.SelectMany(c => c));
        }
    }

    private static ImmutableArray<QuarantineCause> ReadFile(FileInfo file)
    {
        if (file.Length > FileBytesMax) return [new("(a file too large to be read)", 1)];
        return Sum(File.ReadLines(file.FullName).Select(line => new QuarantineCause(ReasonOf(line), 1)));
    }

    private static string ReasonOf(string line)
    {
        try
        {
            using var record = JsonDocument.Parse(line);
            return record.RootElement.GetProperty("reason").GetString() ?? "";
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            return "(a line that cannot be read)";
        }
    }

    private static ImmutableArray<QuarantineCause> Sum(IEnumerable<QuarantineCause> causes)
    {
        var sums = causes.GroupBy(c => c.Reason, (reason, same) => new QuarantineCause(reason, same.Sum(c => c.Records)));
        return [.. sums.OrderByDescending(c => c.Records).ThenBy(c => c.Reason, StringComparer.Ordinal)];
    }
}
