using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using OrdersStream.Memory;
using OrdersStream.Rows;
using Parquet.Meta;
using PhysicalType = Parquet.Meta.Type;

namespace OrdersStream.ParquetFormat;

/// <summary>
/// One column of the data page that is being filled, in the shape that Parquet stores: the values that are not null, one after
/// another, and beside them one byte of definition level a slot (a value, a null or an empty list) where the column is
/// nullable or a list, and one of repetition level where it is a list. The arrays begin tiny, since a file may have many columns and few
/// rows, are kept from page to page, and given back when a page was far smaller than they are.
/// </summary>
internal abstract class ColumnBuffer(ParquetColumn column, HeldMemory held)
{
    private const int FirstBytes = 16;

    private byte[] definitionLevels = [];
    private byte[] repetitionLevels = [];

    public ParquetColumn Column { get; } = column;
    public int Rows { get; private set; }
    public int Slots { get; private set; }
    public int Values { get; private set; }

    /// <summary>What its arrays take.</summary>
    public virtual long MemoryHeld => HeldMemory.Of(definitionLevels) + HeldMemory.Of(repetitionLevels);

    public ReadOnlySpan<byte> DefinitionLevels => definitionLevels.AsSpan(0, Slots);
    public ReadOnlySpan<byte> RepetitionLevels => repetitionLevels.AsSpan(0, Slots);

    public static ColumnBuffer For(ParquetColumn column, HeldMemory held) => column.Type.Physical switch
    {
        PhysicalType.INT32 => new Int32Buffer(column, held),
        PhysicalType.INT64 => new Int64Buffer(column, held),
        PhysicalType.FLOAT => new FloatBuffer(column, held),
        PhysicalType.DOUBLE => new DoubleBuffer(column, held),
        PhysicalType.BOOLEAN => new BooleanBuffer(column, held),
        PhysicalType.FIXED_LEN_BYTE_ARRAY => new DecimalBuffer(column, held),
        PhysicalType.BYTE_ARRAY => new ByteArrayBuffer(column, held),
        _ => throw new ArgumentOutOfRangeException(nameof(column), column.Type.Physical, "no buffer for this physical type"),
    };

    /// <summary>Appends one row's cell.</summary>
    /// <returns>Bytes by which the column has grown.</returns>
    public int Append(in Cell cell, DecodedRow row)
    {
        CountRow();
        if (Column.IsList) return AppendList(cell, row);
        if (!Column.Nullable) return cell.IsNull ? throw NullRefused() : AppendValue(cell, row.Bytes.Array);
        AddDefinitionLevel(cell.IsNull ? 0 : 1);
        return 1 + (cell.IsNull ? 0 : AppendValue(cell, row.Bytes.Array));
    }

    /// <summary>Appends the values in the PLAIN encoding.</summary>
    public abstract void EncodePlain(ByteBuffer to);

    /// <summary>Takes the values into the least and greatest of the column chunk.</summary>
    public abstract void AddBounds();

    /// <summary>Writes down the least and greatest since the last call; left out where they would mislead a reader.</summary>
    public abstract void TakeBounds(Statistics statistics);

    /// <summary>Empties it for the next page.</summary>
    public virtual void Clear()
    {
        Fit(ref definitionLevels, Slots);
        Fit(ref repetitionLevels, Column.IsList ? Slots : 0);
        Rows = Slots = Values = 0;
    }

    /// <summary>Appends a value at index <see cref="Values"/>, then counts it with <see cref="CountValue"/>.</summary>
    /// <returns>Bytes by which the column has grown.</returns>
    protected abstract int AppendValue(in Cell cell, byte[] bytes);

    protected void CountRow() => Rows++;

    protected void CountValue()
    {
        Values++;
        if (Column.MaxDefinitionLevel == 0) Slots++;
    }

    /// <summary>The array for the next page: the same, or a smaller one where less than a quarter of a large one was used.</summary>
    protected void Fit<T>(ref T[] array, int used)
    {
        if (array.Length > 256 * 1024 && used < array.Length / 4) Replace(ref array, new T[used * 2]);
    }

    // By a quarter: the old copy of a large one stays in memory until a full collection, and what is held counts. A small one by half.
    protected void Grow<T>(ref T[] array, int needed)
    {
        var grown = array.Length + array.Length / (array.Length < 4 * 1024 ? 2L : 4L);
        var larger = array;
        Array.Resize(ref larger, (int)Math.Min(Math.Max(Math.Max(FirstBytes / Unsafe.SizeOf<T>(), needed), grown), Array.MaxLength));
        Replace(ref array, larger);
    }

    private void Replace<T>(ref T[] array, T[] by)
    {
        LargeAllocations.CountLeft(HeldMemory.Of(array));
        held.Add(HeldMemory.Of(by) - HeldMemory.Of(array));
        array = by;
    }

    private int AppendList(in Cell cell, DecodedRow row)
    {
        var present = Column.Nullable ? 1 : 0;
        if (cell.IsNull && !Column.Nullable) throw NullRefused();
        AddRepetitionLevel(0);
        if (cell.IsNull || cell.Length == 0)
        {
            AddDefinitionLevel(cell.IsNull ? 0 : present);
            return 2;
        }
        var bytes = 0;
        var elements = CollectionsMarshal.AsSpan(row.Elements).Slice(cell.Start, cell.Length);
        for (var i = 0; i < elements.Length; i++)
        {
            if (i > 0) AddRepetitionLevel(1);
            AddDefinitionLevel(present + (elements[i].IsNull ? 1 : 2));
            bytes += 2 + (elements[i].IsNull ? 0 : AppendValue(elements[i], row.Bytes.Array));
        }
        return bytes;
    }

    private void AddDefinitionLevel(int level)
    {
        if (Slots == definitionLevels.Length) Grow(ref definitionLevels, Slots + 1);
        definitionLevels[Slots++] = (byte)level;
    }

    /// <summary>Before the slot's definition level, which counts it.</summary>
    private void AddRepetitionLevel(int level)
    {
        if (Slots == repetitionLevels.Length) Grow(ref repetitionLevels, Slots + 1);
        repetitionLevels[Slots] = (byte)level;
    }

    private InvalidOperationException NullRefused() =>
        new($"Column '{Column.Name}' is NOT NULL in its schema, and a row without a value was appended.");
}
