using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using OrdersStream.Memory;
using OrdersStream.Rows;
using Parquet.Meta;

namespace OrdersStream.ParquetFormat;

/// <summary>Values of one width in a typed array. Parquet's PLAIN encoding is little-endian, as every platform of .NET is.</summary>
internal abstract class FixedWidthBuffer<T>(ParquetColumn column, HeldMemory held) : ColumnBuffer(column, held)
    where T : unmanaged, INumber<T>
{
    private T[] items = [];

    private T min, max;
    private bool isBounded, hasNaN;

    public override void EncodePlain(ByteBuffer to) => to.Append(MemoryMarshal.AsBytes(Items));

    public override void AddBounds()
    {
        var values = Items;
        if (values.IsEmpty) return;
        if (!isBounded) (min, max, isBounded) = (values[0], values[0], true);
        T least = min, greatest = max;
        foreach (var value in values)
        {
            if (value < least) least = value;
            if (value > greatest) greatest = value;
            // Readers disagree on where NaN sorts: with one in the column there are no bounds to prune by.
            if (T.IsNaN(value)) hasNaN = true;
        }
        (min, max) = (least, greatest);
    }

    public override void TakeBounds(Statistics statistics)
    {
        if (isBounded && !hasNaN) (statistics.MinValue, statistics.MaxValue) = (Bound(min, isMin: true), Bound(max, isMin: false));
        (isBounded, hasNaN) = (false, false);
    }

    public override void Clear()
    {
        Fit(ref items, Values);
        base.Clear();
    }

    public override long MemoryHeld => base.MemoryHeld + HeldMemory.Of(items);

    protected ReadOnlySpan<T> Items => items.AsSpan(0, Values);

    protected int Put(T value)
    {
        if (Values == items.Length) Grow(ref items, Values + 1);
        items[Values] = value;
        CountValue();
        return Unsafe.SizeOf<T>();
    }

    /// <summary>A bound in the PLAIN encoding.</summary>
    protected virtual byte[] Bound(T value, bool isMin) => MemoryMarshal.AsBytes([value]).ToArray();
}

internal sealed class Int32Buffer(ParquetColumn column, HeldMemory held) : FixedWidthBuffer<int>(column, held)
{
    protected override int AppendValue(in Cell cell, byte[] bytes) => Put(checked((int)cell.Bits));
}

internal sealed class Int64Buffer(ParquetColumn column, HeldMemory held) : FixedWidthBuffer<long>(column, held)
{
    protected override int AppendValue(in Cell cell, byte[] bytes) => Put(cell.Bits);
}

internal sealed class FloatBuffer(ParquetColumn column, HeldMemory held) : FixedWidthBuffer<float>(column, held)
{
    protected override int AppendValue(in Cell cell, byte[] bytes) => Put((float)BitConverter.Int64BitsToDouble(cell.Bits));

    // The two zeros are equal and a reader may order them: a bound of zero must cover both.
    protected override byte[] Bound(float value, bool isMin) => base.Bound(value == 0 ? (isMin ? -0f : 0f) : value, isMin);
}

internal sealed class DoubleBuffer(ParquetColumn column, HeldMemory held) : FixedWidthBuffer<double>(column, held)
{
    protected override int AppendValue(in Cell cell, byte[] bytes) => Put(BitConverter.Int64BitsToDouble(cell.Bits));

    protected override byte[] Bound(double value, bool isMin) => base.Bound(value == 0 ? (isMin ? -0d : 0d) : value, isMin);
}

/// <summary>One byte a value here, one bit in the file, the first value lowest.</summary>
internal sealed class BooleanBuffer(ParquetColumn column, HeldMemory held) : FixedWidthBuffer<byte>(column, held)
{
    public override void EncodePlain(ByteBuffer to)
    {
        var items = Items;
        for (var i = 0; i < items.Length; i += 8)
        {
            var bits = 0;
            for (var bit = 0; bit < 8 && i + bit < items.Length; bit++) bits |= items[i + bit] << bit;
            to.Append((byte)bits);
        }
    }

    protected override int AppendValue(in Cell cell, byte[] bytes) => Put((byte)(cell.Bits != 0 ? 1 : 0));
}

/// <summary>DECIMALs of more than 18 digits: an Int128 here, the fewest big-endian bytes for the precision in the file.</summary>
internal sealed class DecimalBuffer(ParquetColumn column, HeldMemory held) : FixedWidthBuffer<Int128>(column, held)
{
    private readonly int length = column.Type.Length;

    public override void EncodePlain(ByteBuffer to)
    {
        Span<byte> whole = stackalloc byte[16];
        foreach (var value in Items)
        {
            BinaryPrimitives.WriteInt128BigEndian(whole, value);
            to.Append(whole[^length..]);
        }
    }

    protected override int AppendValue(in Cell cell, byte[] bytes) => Put(cell.Unscaled);

    protected override byte[] Bound(Int128 value, bool isMin)
    {
        var whole = new byte[16];
        BinaryPrimitives.WriteInt128BigEndian(whole, value);
        return whole[^length..];
    }
}
