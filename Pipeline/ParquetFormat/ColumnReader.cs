using System.Buffers.Binary;
using OrdersStream.Rows;
using Parquet;
using Parquet.Schema;
using PhysicalType = Parquet.Meta.Type;

namespace OrdersStream.ParquetFormat;

/// <summary>One column of a data file, a row group at a time: stored values back to cells.</summary>
internal abstract class ColumnReader(DataField field, ParquetColumn column)
{
    protected int[] DefinitionLevels = [];
    protected int[] RepetitionLevels = [];
    private int slot;
    private int slots;

    protected DataField Field { get; } = field;

    public static ColumnReader For(DataField field, ParquetColumn column) => column.Type.Physical switch
    {
        PhysicalType.INT32 => new ColumnReader<int>(field, column, (int v, DecodedRow _, ref Cell cell) => SetInteger(ref cell, v)),
        PhysicalType.INT64 => new ColumnReader<long>(field, column, (long v, DecodedRow _, ref Cell cell) => SetInteger(ref cell, v)),
        PhysicalType.FLOAT => new ColumnReader<float>(field, column, (float v, DecodedRow _, ref Cell cell) => SetDouble(ref cell, v)),
        PhysicalType.DOUBLE => new ColumnReader<double>(field, column, (double v, DecodedRow _, ref Cell cell) => SetDouble(ref cell, v)),
        PhysicalType.BOOLEAN => new ColumnReader<bool>(field, column, (bool v, DecodedRow _, ref Cell cell) => cell.Bits = v ? 1 : 0),
        PhysicalType.FIXED_LEN_BYTE_ARRAY => new ColumnReader<ReadOnlyMemory<byte>>(
            field, column, (ReadOnlyMemory<byte> v, DecodedRow _, ref Cell cell) => SetDecimal(ref cell, v.Span)),
        PhysicalType.BYTE_ARRAY => new ColumnReader<ReadOnlyMemory<byte>>(
            field, column, (ReadOnlyMemory<byte> v, DecodedRow row, ref Cell cell) => SetBytes(ref cell, row, v.Span)),
        _ => throw new ArgumentOutOfRangeException(nameof(column), column.Type.Physical, "no reader for this physical type"),
    };

    public async Task LoadAsync(ParquetRowGroupReader group, CancellationToken cancellationToken)
    {
        slot = 0;
        slots = checked((int)group.GetMetadata(Field)!.MetaData!.NumValues);
        if (column.MaxDefinitionLevel > 0 && DefinitionLevels.Length < slots) DefinitionLevels = new int[slots];
        if (column.MaxRepetitionLevel > 0 && RepetitionLevels.Length < slots) RepetitionLevels = new int[slots];
        await LoadValuesAsync(group, slots, cancellationToken);
    }

    /// <summary>The next row's cell; text and elements go into <paramref name="row"/>.</summary>
    public void Read(DecodedRow row, out Cell cell)
    {
        cell = default;
        if (column.MaxDefinitionLevel == 0) ReadValue(row, ref cell);
        else if (column.IsList) ReadList(row, ref cell);
        else if (DefinitionLevels[slot++] == 0) cell.IsNull = true;
        else ReadValue(row, ref cell);
    }

    protected abstract ValueTask LoadValuesAsync(ParquetRowGroupReader group, int slots, CancellationToken cancellationToken);

    protected abstract void ReadValue(DecodedRow row, ref Cell cell);

    private void ReadList(DecodedRow row, ref Cell cell)
    {
        cell.Start = row.Elements.Count;
        var present = column.Nullable ? 1 : 0;
        if (DefinitionLevels[slot] <= present)
        {
            cell.IsNull = DefinitionLevels[slot++] < present;
            return;
        }
        do
        {
            var element = default(Cell);
            if (DefinitionLevels[slot++] == column.MaxDefinitionLevel) ReadValue(row, ref element);
            else element.IsNull = true;
            row.Elements.Add(element);
        }
        while (slot < slots && RepetitionLevels[slot] > 0);
        cell.Length = row.Elements.Count - cell.Start;
    }

    private static void SetInteger(ref Cell cell, long value)
    {
        cell.Bits = value;
        cell.High = value >> 63;
    }

    private static void SetDouble(ref Cell cell, double value) => cell.Bits = BitConverter.DoubleToInt64Bits(value);

    private static void SetDecimal(ref Cell cell, ReadOnlySpan<byte> bigEndian)
    {
        Span<byte> whole = stackalloc byte[16];
        whole.Fill((byte)((sbyte)bigEndian[0] >> 7));
        bigEndian.CopyTo(whole[^bigEndian.Length..]);
        cell.High = BinaryPrimitives.ReadInt64BigEndian(whole);
        cell.Bits = BinaryPrimitives.ReadInt64BigEndian(whole[8..]);
    }

    private static void SetBytes(ref Cell cell, DecodedRow row, ReadOnlySpan<byte> bytes)
    {
        (cell.Start, cell.Length) = (row.Bytes.Length, bytes.Length);
        row.Bytes.Append(bytes);
    }
}

internal delegate void CellSetter<T>(T value, DecodedRow row, ref Cell cell);

internal sealed class ColumnReader<T>(DataField field, ParquetColumn column, CellSetter<T> set) : ColumnReader(field, column)
    where T : struct
{
    private T[] values = [];
    private int next;

    protected override ValueTask LoadValuesAsync(ParquetRowGroupReader group, int slots, CancellationToken cancellationToken)
    {
        next = 0;
        if (values.Length < slots) values = new T[slots];
        return group.ReadRawAsync<T>(
            Field, values,
            Field.MaxDefinitionLevel > 0 ? DefinitionLevels.AsMemory() : (Memory<int>?)null,
            Field.MaxRepetitionLevel > 0 ? RepetitionLevels.AsMemory() : (Memory<int>?)null,
            cancellationToken);
    }

    protected override void ReadValue(DecodedRow row, ref Cell cell) => set(values[next++], row, ref cell);
}
