using System.Diagnostics.CodeAnalysis;
using System.Text;
using OrdersStream.Configuration;
using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.Rows;

namespace OrdersStream.Store;

/// <summary>
/// What one Kafka partition adds to a batch: its rows in files to be, its quarantine, and the state after them. Offsets
/// only ascend: a record at or below the last one was added already and is dropped.
/// </summary>
internal sealed class PartitionBatch(StoredPartition stored, string topic, DatalakeOptions options, FileBufferPool pool)
{
    private const int OpBytesMax = 32;

    private readonly List<FileBuffer> files = [];
    private readonly Dictionary<(RowShape, string), FileBuffer> open = [];
    private FileBuffer? lastFile;
    private RowShape? lastShape;
    private byte[] lastOpBytes = [];
    private string lastOp = "";
    private bool pageEnded;
    private bool assumed;

    public StoredPartition Stored { get; } = stored;
    public int Partition => Stored.Partition;
    public IReadOnlyList<FileBuffer> Files => files;

    /// <summary>The state that this batch adds to.</summary>
    public PartitionState Before => Stored.State;
    public QuarantineLines Quarantine { get; } = new(topic);

    /// <summary>The schema in force; null while no record named one.</summary>
    public RowShape? Shape { get; private set; }

    public long NextOffset { get; private set; }
    public long FirstOffset { get; private set; }

    /// <summary>Kafka's timestamp of the first record, which is the oldest but where producers set it themselves.</summary>
    public long FirstTimestampMs { get; private set; }
    public long Rows { get; private set; }
    public long Bytes { get; private set; }
    public bool IsEmpty => Rows == 0 && Quarantine.Records == 0;

    /// <summary>The next record may be this one: nothing lies between, or one transaction marker does.</summary>
    public bool Continues(long offset) => offset == NextOffset || (pageEnded && offset == NextOffset + 1);

    /// <summary>The first offset at which the next record can be.</summary>
    public long NextRecord => pageEnded ? NextOffset + 1 : NextOffset;

    /// <summary>Empties it and goes on from what the commit log last said.</summary>
    public void Restart(RowShape? shape)
    {
        foreach (var file in files) pool.Return(file);
        files.Clear();
        open.Clear();
        lastFile = null;
        Quarantine.Clear();
        Shape = shape;
        (NextOffset, pageEnded, assumed) = (Before.NextOffset, Before.PageEnded, Before.FingerprintAssumed);
        Rows = Bytes = 0;
    }

    /// <summary>A schema named by a header is certain; one taken from the table is assumed.</summary>
    public void Use(RowShape shape, bool isAssumed) => (Shape, assumed) = (shape, isAssumed);

    /// <summary>True where the schema is only assumed, and so may have to be looked up anew.</summary>
    public bool IsAssumed => assumed;

    /// <summary>The state once this batch is committed.</summary>
    public PartitionState After => new(
        NextOffset, Shape?.Schema.Fingerprint ?? Before.Fingerprint, assumed, pageEnded,
        Before.Rows + Rows, Before.Quarantined + Quarantine.Records, Before.Files + files.Count);

    /// <summary>
    /// Adds a record at or above <see cref="NextOffset"/> as a row; the schema in force is known. Otherwise returns why it is
    /// none, and the record is still to be added by <see cref="AddToQuarantine"/>.
    /// </summary>
    public string? TryAdd(in StreamRecord record)
    {
        var op = RowOp.Upsert;
        var ended = false;
        var fault = record.Headers is { Count: > 0 } headers ? ReadHeaders(headers, ref op, ref ended) : null;
        if (record.Key is null) fault ??= "the record has no key";
        if (record.Value is null) fault ??= "the record has no value";
        fault ??= TryAddRow(record.Offset, record.Value, op);
        if (fault is null) MoveBehind(in record, ended);
        return fault;
    }

    /// <summary>The same for an upsert without headers, which is not the batch's first record; its value may lie anywhere.</summary>
    public string? TryAdd(long offset, ReadOnlySpan<byte> value)
    {
        if (TryAddRow(offset, value, RowOp.Upsert) is { } fault) return fault;
        (NextOffset, pageEnded) = (offset + 1, false);
        return null;
    }

    /// <summary>Adds a record that is no row, as it came.</summary>
    public void AddToQuarantine(in StreamRecord record, string reason)
    {
        var ended = false;
        foreach (var header in record.Headers ?? []) ended |= header.Name == StreamHeader.Position;
        var sizeBefore = Quarantine.Bytes;
        Quarantine.Add(in record, reason);
        Bytes += Quarantine.Bytes - sizeBefore;
        MoveBehind(in record, ended);
    }

    private void MoveBehind(in StreamRecord record, bool ended)
    {
        if (Rows + Quarantine.Records == 1) (FirstOffset, FirstTimestampMs) = (record.Offset, record.TimestampMs);
        pageEnded = ended;
        NextOffset = record.Offset + 1;
    }

    private string? TryAddRow(long offset, ReadOnlySpan<byte> value, string op)
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
        var file = FileFor(Shape, folder);
        var sizeBefore = file.Columns.Bytes;
        file.Columns.Append(Shape.Row, Partition, offset, op);
        Bytes += file.Columns.Bytes - sizeBefore;
        Rows++;
        if (file.Columns.Bytes >= options.FileBytes) Seal(file);
        return null;
    }

    private string? ReadHeaders(IReadOnlyList<StreamHeader> headers, ref string op, ref bool ended)
    {
        string? fault = null;
        foreach (var header in headers)
        {
            if (header.Name == StreamHeader.Position) ended = true;
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
