using System.Buffers.Binary;
using OrdersStream.Rows;
using Parquet.Meta;

namespace OrdersStream.Lake;

/// <summary>
/// Text and binary values in one arena, already in the PLAIN encoding (a 32-bit length before each value), so that a page
/// is one copy.
/// </summary>
internal sealed class BytesBuffer(ParquetColumn column) : ColumnBuffer(column)
{
    private const int PrefixBytes = sizeof(int);

    /// <summary>Longer bounds are left out of the statistics: a shortened one may end within a character, which readers refuse.</summary>
    private const int BoundBytesMax = 64;

    private byte[] arena = [];
    private int arenaLength;

    /// <summary>Where in the arena each value's length stands.</summary>
    private int[] starts = [];

    public ReadOnlySpan<byte> this[int value] => arena.AsSpan()[(starts[value] + PrefixBytes)..End(value)];

    /// <summary>A value with its length before it.</summary>
    public ReadOnlySpan<byte> Plain(int value) => arena.AsSpan()[starts[value]..End(value)];

    /// <summary>Bytes of a run of values in the PLAIN encoding.</summary>
    public int PlainBytes(PageSlice slice) => slice.Values == 0 ? 0 : End(slice.Value + slice.Values - 1) - starts[slice.Value];

    public override void EncodePlain(PageSlice page, ByteBuffer to)
    {
        if (page.Values > 0) to.Append(arena.AsSpan(starts[page.Value], PlainBytes(page)));
    }

    public override void AddMinMax(PageSlice slice, Statistics statistics)
    {
        if (slice.Values == 0) return;
        var bounds = new ByteBounds(this[slice.Value]);
        for (var i = slice.Value + 1; i < slice.Value + slice.Values; i++) bounds.Add(this[i]);
        bounds.AddTo(statistics);
    }

    public override void Clear()
    {
        starts = Fit(starts, Values);
        arena = Fit(arena, arenaLength);
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
            throw new InvalidOperationException($"Column '{Column.Name}' of one batch would hold {end} bytes; it can hold {Array.MaxLength}. Lower datalake.file_bytes.");
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

    protected override int FittingValues(int value, int bytesMax)
    {
        if (value >= Values) return 0;
        var limit = (long)starts[value] + bytesMax;
        if (limit >= arenaLength) return Values - value;
        var found = Array.BinarySearch(starts, value, Values - value, (int)limit);
        // Whatever starts at or below the limit, but for the last of these, ends there.
        return found >= 0 ? found - value : ~found - value - 1;
    }

    private int End(int value) => value + 1 < Values ? starts[value + 1] : arenaLength;

    /// <summary>Least and greatest in unsigned byte order, which for UTF-8 is the order of code points.</summary>
    private ref struct ByteBounds(ReadOnlySpan<byte> first)
    {
        private ReadOnlySpan<byte> min = first;
        private ReadOnlySpan<byte> max = first;

        public void Add(ReadOnlySpan<byte> value)
        {
            if (value.SequenceCompareTo(min) < 0) min = value;
            else if (value.SequenceCompareTo(max) > 0) max = value;
        }

        public readonly void AddTo(Statistics statistics)
        {
            if (min.Length <= BoundBytesMax) statistics.MinValue = min.ToArray();
            if (max.Length <= BoundBytesMax) statistics.MaxValue = max.ToArray();
        }
    }
}
