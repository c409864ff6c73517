using System.Buffers.Binary;
using OrdersStream.Memory;
using OrdersStream.Rows;
using Parquet.Meta;

namespace OrdersStream.ParquetFormat;

/// <summary>
/// Text and binary values in one arena, already in the PLAIN encoding (a 32-bit length before each value), so that a data page
/// is one copy.
/// </summary>
internal sealed class ByteArrayBuffer(ParquetColumn column, HeldMemory held) : ColumnBuffer(column, held)
{
    public const int PrefixBytes = sizeof(int);

    private byte[] arena = [];
    private int arenaLength;

    /// <summary>Where in the arena each value's length stands.</summary>
    private int[] starts = [];

    /// <summary>Only from the first page that ended to the end of the row group.</summary>
    private ByteBounds? bounds;

    public ReadOnlySpan<byte> this[int value] => arena.AsSpan()[(starts[value] + PrefixBytes)..End(value)];

    /// <summary>Size of the values in the PLAIN encoding.</summary>
    public int PlainBytes => arenaLength;

    public override long MemoryHeld => base.MemoryHeld + HeldMemory.Of(arena) + HeldMemory.Of(starts);

    public override void EncodePlain(ByteBuffer to) => to.Append(arena.AsSpan(0, arenaLength));

    public override void AddBounds()
    {
        for (var i = 0; i < Values; i++) AddBound(this[i]);
    }

    /// <summary>The same where the distinct values are known.</summary>
    public void AddBound(ReadOnlySpan<byte> value) => (bounds ??= new ByteBounds()).Add(value);

    public override void TakeBounds(Statistics statistics)
    {
        bounds?.TakeInto(statistics);
        bounds = null;
    }

    public override void Clear()
    {
        Fit(ref starts, Values);
        Fit(ref arena, arenaLength);
        arenaLength = 0;
        base.Clear();
    }

    /// <summary>Appends one row of a column that is not nullable.</summary>
    /// <returns>Bytes by which the column has grown.</returns>
    public int AppendRow(ReadOnlySpan<byte> value)
    {
        CountRow();
        return Put(value);
    }

    private int Put(ReadOnlySpan<byte> value)
    {
        var end = (long)arenaLength + PrefixBytes + value.Length;
        if (end > Array.MaxLength)
            throw new InvalidOperationException(
                $"Column '{Column.Name}' of one data page would hold {end} bytes; it can hold {Array.MaxLength}. "
                + "A value is longer than a file can hold.");
        if (end > arena.Length) Grow(ref arena, (int)end);
        if (Values == starts.Length) Grow(ref starts, Values + 1);
        BinaryPrimitives.WriteInt32LittleEndian(arena.AsSpan(arenaLength), value.Length);
        value.CopyTo(arena.AsSpan(arenaLength + PrefixBytes));
        starts[Values] = arenaLength;
        arenaLength = (int)end;
        CountValue();
        return PrefixBytes + value.Length + sizeof(int);
    }

    protected override int AppendValue(in Cell cell, byte[] bytes) => Put(bytes.AsSpan(cell.Start, cell.Length));

    private int End(int value) => value + 1 < Values ? starts[value + 1] : arenaLength;
}

/// <summary>Least and greatest in unsigned byte order, which for UTF-8 is the order of code points.</summary>
internal sealed class ByteBounds
{
    /// <summary>
    /// Longer bounds are left out of the statistics: a shortened one may end within a character, which readers refuse.
    /// </summary>
    private const int BoundBytesMax = 64;

    // Enough of any value: of two that are alike up to here both are too long.
    private const int ComparedBytes = BoundBytesMax + 1;

    private readonly ByteBuffer min = new(ComparedBytes);
    private readonly ByteBuffer max = new(ComparedBytes);
    private bool any;

    public void Add(ReadOnlySpan<byte> value)
    {
        if (value.Length > ComparedBytes) value = value[..ComparedBytes];
        if (!any || value.SequenceCompareTo(min.Written) < 0) Set(min, value);
        if (!any || value.SequenceCompareTo(max.Written) > 0) Set(max, value);
        any = true;
    }

    public void TakeInto(Statistics statistics)
    {
        if (min.Length <= BoundBytesMax) statistics.MinValue = min.Written.ToArray();
        if (max.Length <= BoundBytesMax) statistics.MaxValue = max.Written.ToArray();
    }

    private static void Set(ByteBuffer bound, ReadOnlySpan<byte> value)
    {
        bound.Clear();
        bound.Append(value);
    }
}
