using System.Globalization;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Kafka;
using OrdersStream.Lake.Files;

namespace OrdersStream.Lake;

/// <summary>
/// Which offsets of one partition are in the lake: a folder of numbered entries. Creating the next number, which fails
/// when it exists, is the commit point and the fence: of two writers one wins (invariant 3).
/// </summary>
/// <param name="checkpoint">Where the log lies.</param>
/// <param name="folder">Its folder there.</param>
internal sealed class CommitLog(
    ILakeFiles checkpoint, string folder, TopicIdentity topic, int partition, TimeProvider time, CrashPoints crashPoints)
{
    /// <summary>Entries kept whatever their age.</summary>
    public const int EntriesKept = 16;

    /// <summary>Entries are kept for this long: a writer that slept for less still finds its number taken.</summary>
    public static readonly TimeSpan KeptFor = TimeSpan.FromDays(1);

    private const string Accepted = ".accept-missing";

    // Those up to it were looked at: the last one of each day, which stays.
    private long keptUpTo;

    public string PathOf(long sequence) => string.Create(CultureInfo.InvariantCulture, $"{folder}/{sequence:D20}.json");

    public bool Has(long sequence) => checkpoint.Has(PathOf(sequence));

    /// <summary>Whose entry has this number; null: there is none.</summary>
    public string? WriterOf(long sequence)
    {
        try
        {
            return Check(sequence, checkpoint.Read(PathOf(sequence))).Writer;
        }
        catch (FileNotFoundException)
        {
            return null;
        }
    }

    /// <summary>Others went on behind it.</summary>
    public bool HasBeyond(long sequence) => Sequences() is [.., var last] && last > sequence;

    /// <summary>A human said that files of this entry were removed on purpose.</summary>
    /// <param name="markerPath">The file whose existence says so.</param>
    public bool AcceptsMissing(long sequence, out string markerPath) =>
        HasMarker(PathOf(sequence)[..^".json".Length] + Accepted, out markerPath);

    /// <summary>A human said that of some entry, which may be pruned by now.</summary>
    public bool AcceptsAnyMissing => checkpoint.List(folder).Any(f => f.EndsWith(Accepted, StringComparison.Ordinal));

    /// <summary>A human said that it is known of so many places at which pages are missing.</summary>
    /// <param name="markerPath">The file whose existence says so.</param>
    public bool AcceptsMissingPages(long places, out string markerPath) =>
        HasMarker(string.Create(CultureInfo.InvariantCulture, $"{folder}/accept-missing-pages-{places}"), out markerPath);

    /// <summary>A human said to go on although Kafka has lost what begins at <paramref name="offset"/>.</summary>
    /// <param name="markerPath">The file whose existence says so.</param>
    public bool AcceptsLoss(long offset, out string markerPath) =>
        HasMarker(string.Create(CultureInfo.InvariantCulture, $"{folder}/accept-loss-from-{offset}"), out markerPath);

    /// <summary>The newest entry, which alone counts; null for a log without any.</summary>
    /// <exception cref="PipelineException">It is torn, of a later version, or another topic's.</exception>
    public CommitEntry? ReadNewest()
    {
        while (Sequences() is [.., var newest])
        {
            try
            {
                return Check(newest, checkpoint.Read(PathOf(newest)));
            }
            catch (FileNotFoundException)
            {
                // Pruned between the listing and the reading: there is a newer one.
            }
        }
        return null;
    }

    /// <summary>The newest entries, the newest first, for readers.</summary>
    public IReadOnlyList<CommitEntry> ReadRecent(int count)
    {
        var entries = new List<CommitEntry>(count);
        foreach (var sequence in Sequences().AsEnumerable().Reverse().Take(count))
        {
            try
            {
                entries.Add(Check(sequence, checkpoint.Read(PathOf(sequence))));
            }
            catch (FileNotFoundException)
            {
                break; // pruned meanwhile, as those before it
            }
        }
        return entries;
    }

    /// <summary>The first entry that is there, and the last one of each day, of UTC, in their order: a few of all are read.</summary>
    public IReadOnlyList<CommitEntry> ReadDayEnds()
    {
        var sequences = Sequences();
        if (sequences.Count == 0) return [];
        var entries = new SortedDictionary<long, CommitEntry>();
        if (Read(0) is not { } first || Read(sequences.Count - 1) is not { } last) return [];
        Between(0, first, sequences.Count - 1, last);
        return [first, .. entries.Values];

        // Days ascend along the log: where two are one, there is no end between.
        void Between(int low, CommitEntry from, int high, CommitEntry to)
        {
            if (DayOf(from) != DayOf(to) && high - low > 1)
            {
                var middle = low + (high - low) / 2;
                if (Read(middle) is not { } entry) return;
                Between(low, from, middle, entry);
                Between(middle, entry, high, to);
                return;
            }
            if (DayOf(from) != DayOf(to)) entries[from.Sequence] = from;
            if (high == sequences.Count - 1) entries[to.Sequence] = to;
        }

        CommitEntry? Read(int at)
        {
            try
            {
                return Check(sequences[at], checkpoint.Read(PathOf(sequences[at])));
            }
            catch (FileNotFoundException)
            {
                return null; // pruned meanwhile: asked once more, all is there
            }
        }
    }

    /// <summary>
    /// The commit point. False when another writer has this number, or had it and it was pruned: nothing of
    /// <paramref name="entry"/> is in the log then.
    /// </summary>
    public bool TryAppend(CommitEntry entry)
    {
        var path = PathOf(entry.Sequence);
        if (!TryCreate(path, CommitEntryFormat.Write(entry))) return false;
        if (Sequences()[^1] == entry.Sequence) return true;
        // A number above ours: ours was used and pruned while this writer slept.
        checkpoint.Remove(path);
        checkpoint.SyncNames([path], CrashPoint.CommitWithdrawn);
        return false;
    }

    /// <summary>
    /// Removes entries that are both old and far from the newest, but for the last one of each day: it says what that stored.
    /// </summary>
    public void Prune()
    {
        var sequences = Sequences();
        var oldest = time.GetUtcNow() - KeptFor;
        var pruned = 0;
        var next = sequences.BinarySearch(keptUpTo + 1);
        for (var i = next < 0 ? ~next : next; i < sequences.Count - EntriesKept; i++)
        {
            // One that another writer has just pruned is gone: those behind it may be as old.
            if (checkpoint.Find(PathOf(sequences[i])) is { } entry && entry.WrittenAt > oldest) break;
            keptUpTo = sequences[i];
            if (EndsDay(sequences[i], sequences[i + 1])) continue;
            checkpoint.Remove(PathOf(sequences[i]));
            pruned++;
        }
        if (pruned > 0) crashPoints.Reached(CrashPoint.CommitPruned);
    }

    // What cannot be read says nothing of a day; where the next one was just pruned by another, this one was kept.
    private bool EndsDay(long sequence, long next) => TryReadDay(sequence) is { } day && TryReadDay(next) != day;

    private DateOnly? TryReadDay(long sequence)
    {
        try
        {
            return DayOf(CommitEntryFormat.Read(checkpoint.Read(PathOf(sequence)), topic.Topic));
        }
        catch (Exception e) when (e is FormatException or FileNotFoundException)
        {
            return null;
        }
    }

    private static DateOnly DayOf(CommitEntry entry) => DateOnly.FromDateTime(entry.CommittedAt.UtcDateTime);

    // A create may be done and yet be reported as failed, or as taken (a server's answer was lost and the call repeated):
    // what stands in the file decides.
    private bool TryCreate(string path, byte[] content)
    {
        try
        {
            return checkpoint.TryCreate(path, content, CrashPoint.CommitCreated) || IsOurs(path, content);
        }
        catch (IOException)
        {
            if (!IsOurs(path, content)) throw;
            return true;
        }
    }

    private bool IsOurs(string path, byte[] content)
    {
        if (!checkpoint.Has(path) || !checkpoint.Read(path).AsSpan().SequenceEqual(content)) return false;
        checkpoint.SyncNames([path], CrashPoint.CommitCreated);
        return true;
    }

    private List<long> Sequences()
    {
        var found = new List<long>();
        foreach (var path in checkpoint.List(folder))
        {
            if (!path.EndsWith(".json", StringComparison.Ordinal)) continue;
            var name = Path.GetFileNameWithoutExtension(path.AsSpan());
            if (name.Length == 20 && long.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var sequence))
                found.Add(sequence);
        }
        found.Sort();
        return found;
    }

    private bool HasMarker(string path, out string located)
    {
        located = checkpoint.Locate(path);
        return checkpoint.Has(path);
    }

    private CommitEntry Check(long sequence, byte[] file)
    {
        var path = checkpoint.Locate(PathOf(sequence));
        CommitEntry entry;
        try
        {
            entry = CommitEntryFormat.Read(file, topic.Topic);
        }
        catch (FormatException e)
        {
            throw new PipelineException(FailureAction.Stop,
                $"Commit log entry '{path}' cannot be used: {e.Message}.",
                "Use the version of the program that wrote it, or restore the file from a backup; "
                + "the entries before it do not say what it committed.", e);
        }
        // Invariant 6: the log says itself whose it is.
        if (entry.Sequence != sequence || entry.Partition != partition || !entry.Topic.Matches(topic))
            throw new PipelineException(FailureAction.Stop,
                $"Commit log entry '{path}' is number {entry.Sequence} of partition {entry.Partition} of {entry.Topic}, "
                + $"not number {sequence} of partition {partition} of {topic}.",
                "Give each topic a streaming.checkpoint_location of its own, and restore the folder if its files were moved.");
        return entry;
    }
}
