using System.Collections;
using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Lake;
using OrdersStream.Lake.Files;
using OrdersStream.Rows;

namespace OrdersStream.Audit;

/// <summary>
/// The newest version of each row in the lake, as digests in a file that is sorted by key: rows are found without the lake being read
/// again, and without its keys being held (invariant 7). It takes 48 bytes a row on the disk, and is gone when it is disposed of.
/// </summary>
internal sealed class LakeIndex : IDisposable
{
    /// <summary>Runs of what came after it was built, until they are made one.</summary>
    private const int LaterRunsMax = 8;

    /// <summary>Files that are named, of each kind.</summary>
    private const int NamedMax = 5;

    private readonly ILakeFiles lake;
    private readonly string topic;
    private readonly TableSchema table;
    private readonly LakeReader reader;
    private readonly string folder;
    private readonly int versionsMax;
    private readonly List<IndexedVersion> unsorted = [];
    private readonly List<VersionRun> runs = [];
    private readonly HashSet<string> taken = [];
    private readonly Dictionary<string, short> shapeOf = [];
    private readonly List<ComparedShape> shapes = [];
    private readonly Dictionary<(int Partition, int? Generation), OffsetSet> offsets = [];
    private readonly Dictionary<int, long> logged = [];
    private readonly List<DifferingRow> twice = [], misplaced = [];
    private BitArray matched = new(0);

    /// <summary>That of a stream: its own files lie beside the commit log.</summary>
    /// <param name="options">The stream's configuration.</param>
    /// <param name="lake">Where the lake lies.</param>
    /// <param name="table">The table's columns, as they are now.</param>
    /// <param name="versionsMax">Versions that are sorted in memory at once.</param>
    /// <param name="logged">What the commit log counted before: it is in the files, or gone.</param>
    public static LakeIndex Of(PipelineOptions options, ILakeFiles lake, TableSchema table, int versionsMax, LoggedVersions logged)
    {
        var checkpoint = options.Streaming.CheckpointLocation;
        return new(lake, options.Kafka.Topic, table, new SchemaStore(checkpoint).Read, Path.Combine(checkpoint, "audit"), versionsMax)
        {
            LeavesMissing = options.Postgres.ChangedValues == "leave",
            Folders = LakeFolders.Of(options.Datalake, lake), Logged = logged,
        };
    }

    /// <param name="lake">Where the lake lies.</param>
    /// <param name="topic">The topic that it is filled from.</param>
    /// <param name="table">The table's columns, as they are now.</param>
    /// <param name="schemaOf">The schema of a fingerprint.</param>
    /// <param name="folder">A folder on this machine, for the index's own files.</param>
    /// <param name="versionsMax">Versions that are sorted in memory at once.</param>
    public LakeIndex(
        ILakeFiles lake, string topic, TableSchema table, Func<string, TableSchema> schemaOf, string folder, int versionsMax)
    {
        (this.lake, this.topic, this.table, this.folder, this.versionsMax) = (lake, topic, table, folder, versionsMax);
        reader = new LakeReader(lake, schemaOf);
        DurableFile.CreateDirectory(folder, CrashPoints.None);
    }

    /// <summary>Columns that a version has not, or as another type, are not compared.</summary>
    public bool LeavesMissing { get; init; }

    /// <summary>In which folder a file belongs; null: it is not looked at.</summary>
    public LakeFolders? Folders { get; init; }

    /// <summary>Which versions are to be there.</summary>
    public LoggedVersions Logged { get; init; } = LoggedVersions.None;

    /// <summary>Row versions in the lake.</summary>
    public long Rows { get; private set; }

    /// <summary>Versions that the commit log counted, and that are in no file.</summary>
    public long Lost => Logged.NotIn(logged);

    /// <summary>Different keys, when it was built.</summary>
    public long Keys => runs[0].Count;

    /// <summary>Offsets of the topic that are there more than once.</summary>
    public long StoredTwice { get; private set; }

    /// <summary>The first few of them, one a file: those that have them again.</summary>
    public IReadOnlyList<DifferingRow> TwiceStored => twice;

    /// <summary>Row versions in files of a folder that is not their rows' own: who reads by folders does not find them.</summary>
    public long Misplaced { get; private set; }

    /// <summary>The first few of those files.</summary>
    public IReadOnlyList<DifferingRow> MisplacedFiles => misplaced;

    /// <summary>A file is taken at two places, or at one where it is no more, if somebody moves it meanwhile: that says nothing.</summary>
    /// <exception cref="PipelineException">What is there twice, or in a wrong folder, may be so no more.</exception>
    public void CheckNothingMoved()
    {
        if (StoredTwice + Misplaced > 0 && !taken.IsSubsetOf(LakeReader.Files(lake)))
            throw new PipelineException(FailureAction.Retry,
                "Files of the lake were moved or removed while they were compared, so what is there twice, or in a wrong folder, cannot be "
                + "told.",
                "Compare again when all are where they belong; the audit does so by itself.");
    }

    /// <summary>The ways in which the table's rows are digested, to be compared with versions of some schema.</summary>
    public IReadOnlyList<ComparedShape> Shapes => shapes;

    /// <summary>Files of the lake that are in it.</summary>
    public int Files => taken.Count;

    /// <summary>Reads the lake as it is now.</summary>
    /// <param name="progress">Told how many rows were read so far.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task BuildAsync(IProgress<ComparisonProgress>? progress, CancellationToken cancellationToken)
    {
        await foreach (var _ in BuildByFileAsync(cancellationToken)) progress?.Report(new(IsTable: false, Rows));
    }

    /// <summary>The same, file by file, for who does something else in between: it is built when there is no more.</summary>
    public async IAsyncEnumerable<long> BuildByFileAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var rows in TakeNewFilesAsync(cancellationToken)) yield return rows;
        Merge(0, cancellationToken);
        // It may be kept for hours.
        unsorted.TrimExcess();
        matched = new BitArray(checked((int)Keys));
    }

    /// <summary>Reads what came since.</summary>
    public async Task UpdateAsync(CancellationToken cancellationToken)
    {
        await foreach (var _ in TakeNewFilesAsync(cancellationToken))
        {
            // All of it at once.
        }
        // Each run is asked for each key.
        if (runs.Count > LaterRunsMax) Merge(1, cancellationToken);
    }

    /// <summary>The newest version of a key, which counts as found from now on. Keys are best asked for in ascending order.</summary>
    /// <returns>False: the lake has none.</returns>
    public bool TryFind(UInt128 key, out IndexedVersion version)
    {
        var place = runs[0].Find(key, out version);
        if (place >= 0) matched[(int)place] = true;
        var found = place >= 0;
        foreach (var run in runs.Skip(1))
        {
            if (run.Find(key, out var other) < 0) continue;
            if (!found || IndexedVersion.Compare(other, version) < 0) version = other;
            found = true;
        }
        return found;
    }

    /// <summary>
    /// Of the versions that were there when it was built, those of keys that nobody asked for, and that have no version since: a row that
    /// was deleted and inserted again while the table was read is in it, though no range had it.
    /// </summary>
    public IEnumerable<IndexedVersion> NeverFound() => Unmatched().Where(version => NewestSince(version) is null);

    /// <summary>Keys that nobody asked for, and whose rows came since: they are on the way.</summary>
    public long CameSince() => Unmatched().LongCount(version => NewestSince(version) is { Deleted: false });

    private IEnumerable<IndexedVersion> Unmatched() => runs[0].ReadAll().Where((version, place) => !matched[place] && !version.Deleted);

    private IndexedVersion? NewestSince(IndexedVersion than)
    {
        IndexedVersion? newest = null;
        foreach (var run in runs.Skip(1))
            if (run.Find(than.Key, out var later) >= 0 && IndexedVersion.Compare(later, newest ?? than) < 0) newest = later;
        return newest;
    }

    /// <summary>Keys of the lake as texts that Postgres reads back, by their digests; all files are read once more.</summary>
    /// <param name="wanted">Digests; those that were found are taken off.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>The keys of a file, with their digests; maybe none.</returns>
    public async IAsyncEnumerable<IReadOnlyList<(UInt128 Key, ImmutableArray<string> Text)>> KeysAsync(
        HashSet<UInt128> wanted, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (var file in taken)
        {
            if (wanted.Count == 0) yield break;
            var keys = new List<(UInt128, ImmutableArray<string>)>();
            await foreach (var row in reader.ReadAsync(file, cancellationToken))
            {
                var shape = shapes[ShapeOf(row.Row.Schema)];
                var key = shape.LakeKey.Of(row.Row);
                if (wanted.Remove(key)) keys.Add((key, shape.KeyOf(row.Row)));
            }
            yield return keys;
        }
    }

    public void Dispose()
    {
        foreach (var run in runs) run.Dispose();
    }

    private async IAsyncEnumerable<long> TakeNewFilesAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // A file by a name of its own is the copy, where there is one by a name that is ours.
        foreach (var file in LakeReader.Files(lake).OrderBy(f => !LakePath.TryParse(f, out _)))
        {
            if (!taken.Add(file)) continue;
            // A copy of one of ours is told by what it holds.
            var isNamed = LakePath.TryParse(file, out var name);
            if (!isNamed && !await IsOursAsync(file, cancellationToken)) throw Foreign(file);
            await TakeAsync(file, isNamed ? name.Generation : null, cancellationToken);
            yield return Rows;
        }
        if (unsorted.Count > 0 || runs.Count == 0) WriteRun();
    }

    private async Task<bool> IsOursAsync(string file, CancellationToken cancellationToken)
    {
        try
        {
            return (await LakeReader.ReadFooterAsync(lake, file, cancellationToken)).Topic.Topic == topic;
        }
        catch (FormatException)
        {
            return false;
        }
    }

    private async Task TakeAsync(string file, int? generation, CancellationToken cancellationToken)
    {
        try
        {
            bool? isMisplaced = null;
            await foreach (var row in reader.ReadAsync(file, cancellationToken))
            {
                Take(file, row, generation);
                // All rows of a file are of one folder.
                if (isMisplaced ??= Folders?.IsMisplaced(file, row.Row) is true) TakeMisplaced(file, row);
            }
        }
        catch (FormatException e)
        {
            throw LakeReader.Misnamed(e);
        }
    }

    private PipelineException Foreign(string file) => new(FailureAction.Stop,
        $"The lake holds '{LakePath.WithoutValues(lake.Locate(file), lake.Locate(""))}', which this program has not written for topic "
        + $"'{topic}': readers meet its rows, so lake and table cannot be compared.",
        "Move it away, with all that its program left here.");

    private void Take(string file, LakeRow row, int? generation)
    {
        Rows++;
        if (!TryAdd(row, generation)) TakeAgain(file, row);
        else if (Logged.Counts(row.Partition, generation, row.Offset)) logged[row.Partition] = logged.GetValueOrDefault(row.Partition) + 1;

        var number = ShapeOf(row.Row.Schema);
        var shape = shapes[number];
        unsorted.Add(new IndexedVersion
        {
            Key = shape.LakeKey.Of(row.Row), Digest = (ulong)shape.LakeValues.Of(row.Row), Number = row.Version, Offset = row.Offset,
            Partition = row.Partition, Shape = number, Deleted = row.Op == RowOp.Delete,
        });
        if (unsorted.Count >= versionsMax) WriteRun();
    }

    /// <summary>
    /// Offsets of another generation are other records'. A file by a name of its own does not say of which its are: so of any.
    /// </summary>
    private bool TryAdd(LakeRow row, int? generation)
    {
        var log = (row.Partition, generation);
        if (!offsets.TryGetValue(log, out var seen)) offsets[log] = seen = new OffsetSet();
        return seen.Add(row.Offset)
            && (generation is not null || !offsets.Any(
                o => o.Key.Partition == row.Partition && o.Key.Generation is not null && o.Value.Has(row.Offset)));
    }

    private void TakeAgain(string file, LakeRow row)
    {
        StoredTwice++;
        var shown = LakePath.WithoutValues(file);
        if (twice.Count < NamedMax && twice.TrueForAll(t => t.File != shown))
            twice.Add(new(RowDifference.StoredTwice, null, row.Partition, row.Offset, shown));
    }

    private void TakeMisplaced(string file, LakeRow row)
    {
        Misplaced++;
        var shown = LakePath.WithoutValues(file);
        if (misplaced.Count < NamedMax && misplaced.TrueForAll(m => m.File != shown))
            misplaced.Add(new(RowDifference.Misplaced, null, row.Partition, row.Offset, shown));
    }

    private short ShapeOf(TableSchema schema)
    {
        if (shapeOf.TryGetValue(schema.Fingerprint, out var known)) return known;
        shapes.Add(new ComparedShape(table, schema, LeavesMissing));
        return shapeOf[schema.Fingerprint] = checked((short)(shapes.Count - 1));
    }

    private void WriteRun()
    {
        unsorted.Sort(IndexedVersion.Compare);
        runs.Add(VersionRun.Write(folder, unsorted));
        unsorted.Clear();
    }

    /// <summary>Makes one run of those from one on: places in runs before it stay what they are.</summary>
    private void Merge(int from, CancellationToken cancellationToken)
    {
        if (runs.Count <= from + 1) return;
        var later = runs[from..];
        var merged = VersionRun.Write(folder, Ascending(later, cancellationToken));
        foreach (var run in later) run.Dispose();
        runs.RemoveRange(from, later.Count);
        runs.Add(merged);
    }

    private static IEnumerable<IndexedVersion> Ascending(IReadOnlyList<VersionRun> runs, CancellationToken cancellationToken)
    {
        var order = Comparer<IndexedVersion>.Create(IndexedVersion.Compare);
        var queue = new PriorityQueue<IEnumerator<IndexedVersion>, IndexedVersion>(order);
        foreach (var run in runs)
        {
            var versions = run.ReadAll().GetEnumerator();
            if (versions.MoveNext()) queue.Enqueue(versions, versions.Current);
        }
        while (queue.TryDequeue(out var least, out var version))
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return version;
            if (least.MoveNext()) queue.Enqueue(least, least.Current);
            else least.Dispose();
        }
    }
}

/// <summary>How rows of the table are compared with versions of one schema in the lake.</summary>
internal sealed class ComparedShape
{
    private readonly ComparableColumns columns;

    /// <exception cref="Diagnostics.PipelineException">The key changed: rows of the two schemas cannot be matched.</exception>
    public ComparedShape(TableSchema table, TableSchema lake, bool leavesMissing)
    {
        columns = new ComparableColumns(table, lake, leavesMissing);
        LakeKey = new RowDigest(lake, columns.LakeKey);
        LakeValues = new RowDigest(lake, columns.Lake, columns.Numbers);
        TableValues = new RowDigest(table, columns.Table, columns.Numbers);
    }

    /// <summary>The key of a version of the lake, as texts that Postgres reads back.</summary>
    public ImmutableArray<string> KeyOf(DecodedRow row) =>
        [.. columns.LakeKey.Select(k => PostgresText.Of(row.Schema.Columns[k].Type, row, row.Cells[k]))];

    public RowDigest LakeKey { get; }
    public RowDigest LakeValues { get; }
    public RowDigest TableValues { get; }

    /// <summary>Columns that are not compared.</summary>
    public IEnumerable<string> LeftOut => columns.LeftOut;
}

/// <summary>Offsets of one partition, one bit each.</summary>
internal sealed class OffsetSet
{
    private const int BlockBits = 20;

    private readonly Dictionary<long, ulong[]> blocks = [];

    /// <returns>False: it was there already.</returns>
    public bool Add(long offset)
    {
        if (!blocks.TryGetValue(offset >> BlockBits, out var block)) blocks[offset >> BlockBits] = block = new ulong[(1 << BlockBits) / 64];
        ref var word = ref block[Word(offset)];
        if ((word & Bit(offset)) != 0) return false;
        word |= Bit(offset);
        return true;
    }

    public bool Has(long offset) => blocks.TryGetValue(offset >> BlockBits, out var block) && (block[Word(offset)] & Bit(offset)) != 0;

    private static int Word(long offset) => (int)(offset & ((1 << BlockBits) - 1)) / 64;

    private static ulong Bit(long offset) => 1UL << (int)(offset % 64);
}
