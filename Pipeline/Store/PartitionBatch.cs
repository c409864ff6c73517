using System.Diagnostics.CodeAnalysis;
using System.Text;
using OrdersStream.Configuration;
using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.Memory;
using OrdersStream.Rows;

namespace OrdersStream.Store;

/// <summary>
/// What one Kafka partition adds to a batch: its rows in files to be, its quarantine, and the state after them. Offsets
/// only ascend: a record at or below the last one was added already and is dropped. Pages are added whole (<see cref="PageReceiver"/>).
/// </summary>
internal sealed class PartitionBatch
{
    private const int OpBytesMax = 32;

    private readonly DatalakeOptions options;
    private readonly FileBufferPool pool;
    private readonly List<FileBuffer> files = [];
    private readonly Dictionary<(RowShape, string), FileBuffer> open = [];
    private FileBuffer? lastFile;
    private RowShape? lastShape;
    private byte[] lastOpBytes = [];
    private string lastOp = "";
    private bool assumed;
    private long missing;

    public PartitionBatch(StoredPartition stored, string topic, DatalakeOptions options, FileBufferPool pool, BlockPool blocks)
    {
        (Stored, this.options, this.pool) = (stored, options, pool);
        Quarantine = new QuarantineLines(topic);
        Replays = new ReplayMarks(topic);
        Receiver = new PageReceiver(this, topic, blocks);
    }

    public StoredPartition Stored { get; }
    public int Partition => Stored.Partition;
    public IReadOnlyList<FileBuffer> Files => files;

    /// <summary>The page that arrives, and those before it that were not whole.</summary>
    public PageReceiver Receiver { get; }

    /// <summary>The state that this batch adds to.</summary>
    public PartitionState Before => Stored.State;
    public QuarantineLines Quarantine { get; }

    /// <summary>Quarantined records that came again by records of this batch.</summary>
    public ReplayMarks Replays { get; }

    /// <summary>Those that came again by records of this partition, in this batch or before; null: the lake was not asked.</summary>
    public HashSet<RecordPlace>? Replayed { get; set; }

    /// <summary>The schema in force; null while no record named one.</summary>
    public RowShape? Shape { get; private set; }

    /// <summary>The next offset to be added; what was added may still wait for the rest of its page.</summary>
    public long NextOffset { get; private set; }

    /// <summary>All below it is decided: a row, in quarantine, or dropped. This far a commit goes.</summary>
    public long DecidedOffset { get; private set; }

    /// <summary>The newest page that is whole.</summary>
    public long Page { get; private set; }

    /// <summary>The newest page that was given up, since nobody ended it; 0: none was.</summary>
    public long GivenUp { get; private set; }

    /// <summary>The page whose beginning was looked for last, and was nowhere.</summary>
    public long SoughtPage { get; set; }

    /// <summary>The version of rows that come by no page: the newest page that is whole, or the one whose rest they are.</summary>
    public long Version => Math.Max(Page, RestOf);

    /// <summary>The page whose rest comes next, its beginning being lost; 0: none's.</summary>
    public long RestOf => Stored.State.RestOf > Page ? Stored.State.RestOf : 0;

    /// <summary>The last record ended a page that was a transaction: one marker follows.</summary>
    public bool PageEnded { get; private set; }

    public long FirstOffset { get; private set; }

    /// <summary>Kafka's timestamp of the first record, which is the oldest but where producers set it themselves.</summary>
    public long FirstTimestampMs { get; private set; }
    public long Rows { get; private set; }
    public long Bytes { get; private set; }

    /// <summary>Records that do not count, since the last commit.</summary>
    public long Dropped { get; set; }

    /// <summary>The next page that is whole stands behind others that are nowhere.</summary>
    public bool LacksPages { get; set; }

    /// <summary>What is missing before the next page was accepted.</summary>
    public bool HasPassedOver { get; set; }

    /// <summary>Its first record was found to be the next one.</summary>
    public bool IsBegun { get; set; }

    /// <summary>Nothing is to be written.</summary>
    public bool IsEmpty => Rows == 0 && Quarantine.Records == 0;

    /// <summary>
    /// Something is to be committed, if only that it was met: a fence, or a page that does not count, would else stand before the lake's
    /// next offset for ever, and the lake be behind a topic of which it has all.
    /// </summary>
    public bool HasNews => !IsEmpty || DecidedOffset > Before.NextOffset;

    /// <summary>The next record may be this one: nothing lies between, or one transaction marker does.</summary>
    /// <remarks>Between two pages the marker must be; before another producer's record, one of its own may be what is left out.</remarks>
    public bool Continues(long offset, bool beginsPage) =>
        offset == NextOffset || (PageEnded && beginsPage && offset == NextOffset + 1);

    /// <summary>The first offset at which the next record can be.</summary>
    public long NextRecord => PageEnded ? NextOffset + 1 : NextOffset;

    /// <summary>Empties it and goes on from what the commit log last said.</summary>
    public void Restart(RowShape? shape)
    {
        Empty();
        Receiver.Clear();
        Replayed = null;
        Dropped = missing = 0;
        LacksPages = IsBegun = false;
        HasPassedOver = Before.PassedOver;
        Shape = shape;
        (NextOffset, DecidedOffset, PageEnded) = (Before.NextOffset, Before.NextOffset, Before.PageEnded);
        (Page, GivenUp, assumed) = (Before.Page, Before.GivenUp, Before.FingerprintAssumed);
    }

    /// <summary>What was decided is in the lake: goes on with what was not, which stays in memory.</summary>
    public void Continue()
    {
        Dropped = missing = 0;
        Empty();
    }

    /// <summary>A schema named by a header is certain; one taken from the table is assumed.</summary>
    public void Use(RowShape? shape, bool isAssumed) => (Shape, assumed) = (shape, isAssumed);

    /// <summary>True where the schema is only assumed, and so may have to be looked up anew.</summary>
    public bool IsAssumed => assumed;

    /// <summary>The state once this batch is committed.</summary>
    public PartitionState After => new(
        DecidedOffset, Shape?.Schema.Fingerprint ?? Before.Fingerprint, assumed, PageEnded && DecidedOffset == NextOffset,
        Before.Rows + Rows, Before.Quarantined + Quarantine.Records, Before.Files + files.Count, Page, Before.Generation,
        Before.Dropped + Dropped, GivenUp, RestOf, Before.NewestFile,
        Before.Replayed + Replays.Count, Missing: Before.Missing + missing, PassedOver: HasPassedOver);

    /// <summary>
    /// Adds a record as a row; the schema in force is known. Otherwise returns why it is none, and the record is still to be added by
    /// <see cref="AddToQuarantine"/>.
    /// </summary>
    /// <param name="record">It.</param>
    /// <param name="version">The row's.</param>
    /// <param name="isOfDeletes">Its page is one of deletes: without a value it says that its key's row is gone.</param>
    public string? TryAddRow(in StreamRecord record, long version, bool isOfDeletes = false)
    {
        var op = RowOp.Upsert;
        var fault = record.Headers is { Count: > 0 } headers ? ReadOp(headers, ref op) : null;
        if (record.Key is null) fault ??= "the record has no key";
        if (record.Value is null && isOfDeletes && op == RowOp.Delete)
            return fault ?? TryAddDelete(record.Offset, record.TimestampMs, record.Key, version);
        if (record.Value is null) fault ??= "the record has no value";
        return fault ?? TryAddRow(record.Offset, record.TimestampMs, record.Value, op, version);
    }

    /// <summary>The same for an upsert with a key; its value may lie anywhere.</summary>
    public string? TryAddRow(long offset, long timestampMs, ReadOnlySpan<byte> value, string op, long version)
    {
        string folder;
        try
        {
            folder = Shape!.Decode(value);
        }
        catch (UndecodableException e)
        {
            return e.Message;
        }
        Append(folder, offset, timestampMs, op, version);
        return null;
    }

    private string? TryAddDelete(long offset, long timestampMs, ReadOnlySpan<byte> key, long version)
    {
        string folder;
        try
        {
            folder = Shape!.DecodeDelete(key);
        }
        catch (UndecodableException e)
        {
            return e.Message;
        }
        Append(folder, offset, timestampMs, RowOp.Delete, version);
        return null;
    }

    private void Append(string folder, long offset, long timestampMs, string op, long version)
    {
        var file = FileFor(Shape!, folder);
        var sizeBefore = file.Columns.Bytes;
        file.Columns.Append(Shape!.Row, Partition, offset, op, version);
        Bytes += file.Columns.Bytes - sizeBefore;
        if (IsEmpty) (FirstOffset, FirstTimestampMs) = (offset, timestampMs);
        Rows++;
        if (file.Columns.Bytes >= options.FileBytes) Seal(file);
    }

    /// <summary>Adds a record that is no row, as it came.</summary>
    /// <param name="record">It.</param>
    /// <param name="reason">Why.</param>
    /// <param name="version">That of the row, had it been one; null: of a record of no page.</param>
    public void AddToQuarantine(in StreamRecord record, string reason, long? version = null)
    {
        // One that names an older page is as old as that: replayed, it hides nothing that came since.
        var frames = Receiver.FramesOf(in record);
        var known = version ?? Version;
        var named = frames.Page ?? frames.OthersName?.Page ?? known;
        if (IsEmpty) (FirstOffset, FirstTimestampMs) = (record.Offset, record.TimestampMs);
        var sizeBefore = Quarantine.Bytes;
        Quarantine.Add(in record, reason, Math.Min(named, known), Shape?.Schema.Fingerprint);
        Bytes += Quarantine.Bytes - sizeBefore;
    }

    /// <summary>The record was taken, and waits for the rest of its page.</summary>
    public void Taken(long offset) => (NextOffset, PageEnded) = (offset + 1, false);

    /// <summary>All up to the record is decided.</summary>
    /// <param name="offset">Its offset.</param>
    /// <param name="endsTransaction">It is the last one of a page that was a transaction.</param>
    public void Decided(long offset, bool endsTransaction) =>
        (NextOffset, DecidedOffset, PageEnded) = (offset + 1, offset + 1, endsTransaction);

    /// <summary>A page is whole here.</summary>
    public void PageDecided(long page)
    {
        if (page <= Page) return;
        Page = page;
        if (LacksPages) missing++;
        LacksPages = HasPassedOver = false;
    }

    /// <summary>Nobody ends a page here, and others' records behind its beginning are decided without it.</summary>
    public void PageGivenUp(long page) => GivenUp = Math.Max(GivenUp, page);

    private void Empty()
    {
        foreach (var file in files) pool.Return(file);
        files.Clear();
        open.Clear();
        lastFile = null;
        Quarantine.Clear();
        Replays.Clear();
        Rows = Bytes = 0;
    }

    private string? ReadOp(IReadOnlyList<StreamHeader> headers, ref string op)
    {
        string? fault = null;
        foreach (var header in headers)
        {
            if (header.Name != StreamHeader.Op) continue;
            if (IsOp(header.Value)) op = OpOf(header.Value);
            else fault = $"header '{StreamHeader.Op}' is not ASCII text of 1 to {OpBytesMax} bytes";
        }
        return fault;
    }

    private static bool IsOp([NotNullWhen(true)] byte[]? value) =>
        value is { Length: > 0 and <= OpBytesMax } && Ascii.IsValid(value) && !value.AsSpan().ContainsAnyInRange((byte)0, (byte)31);

    private string OpOf(byte[] value)
    {
        if (!value.AsSpan().SequenceEqual(lastOpBytes)) (lastOpBytes, lastOp) = (value, Encoding.ASCII.GetString(value));
        return lastOp;
    }

    // Rows of one day follow one another more often than not: the last file is tried before the table is.
    private FileBuffer FileFor(RowShape shape, string folder)
    {
        if (lastFile is not null && ReferenceEquals(shape, lastShape) && ReferenceEquals(folder, lastFile.Folder)) return lastFile;
        if (!open.TryGetValue((shape, folder), out var file))
        {
            open[(shape, folder)] = file = pool.Rent(shape.Schema, folder);
            files.Add(file);
        }
        lastShape = shape;
        return lastFile = file;
    }

    // Above file_bytes the next row of this folder begins a file of its own.
    private void Seal(FileBuffer file)
    {
        open.Remove((Shape!, file.Folder));
        lastFile = null;
    }
}
