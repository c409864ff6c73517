using System.Collections.Immutable;
using System.Text;
using OrdersStream.Memory;
using OrdersStream.Rows;

namespace OrdersStream.ParquetFormat;

/// <summary>
/// Rows of one file to be: data pages of columns, encoded as soon as they are full, in row groups. All rows are of one schema,
/// one Kafka partition and one lake partition, in offset order. After an exception it must be cleared.
/// </summary>
public sealed class ColumnBatch
{
    /// <summary>Decoded size of a row group above which it has fewer than <c>row_group_rows</c>: readers take one whole.</summary>
    private const long RowGroupBytes = 64 * 1024 * 1024;

    /// <summary>About what a file's own objects take, its names and its line of the commit among them.</summary>
    private const int ObjectBytes = 2 * 1024;

    private readonly DataPageEncoder encoder;
    private readonly ImmutableArray<ColumnChunkBuilder> chunks;
    private readonly ColumnBuffer[] columns;
    private readonly ByteArrayBuffer opColumn;
    private readonly ColumnBuffer partitionColumn;
    private readonly ColumnBuffer offsetColumn;
    private readonly ColumnBuffer versionColumn;
    private readonly List<EncodedRowGroup> groups = [];
    private string lastOp = "";
    private byte[] lastOpBytes = [];
    private int partition;
    private (int Rows, long Bytes) dataPage;
    private (int Rows, long Bytes) group;

    /// <param name="schema">Of all rows.</param>
    /// <param name="encoder">Used by one thread, which adds the rows.</param>
    public ColumnBatch(TableSchema schema, DataPageEncoder encoder)
    {
        Schema = schema;
        this.encoder = encoder;
        chunks = [.. encoder.ColumnsOf(schema).Select(column => new ColumnChunkBuilder(ColumnBuffer.For(column, encoder.Held)))];
        columns = [.. chunks.Select(c => c.Buffer)];
        (opColumn, partitionColumn, offsetColumn, versionColumn) = ((ByteArrayBuffer)columns[^4], columns[^3], columns[^2], columns[^1]);
        encoder.Held.Add(MemoryHeld);
    }

    public TableSchema Schema { get; }
    public int Rows { get; private set; }

    /// <summary>Decoded size, bytes: what the batch and file limits count.</summary>
    public long Bytes { get; private set; }

    /// <summary>What it keeps when it is empty.</summary>
    internal long MemoryHeld => ObjectBytes + chunks.Sum(c => c.MemoryHeld);

    public long FirstOffset { get; private set; } = -1;
    public long LastOffset { get; private set; } = -1;

    /// <summary>The greatest version of a row.</summary>
    public long Version { get; private set; }

    /// <summary>In the file's order.</summary>
    internal IEnumerable<ParquetColumn> Columns => columns.Select(c => c.Column);

    /// <summary>For its footer: one of its own, since files are written at the same time.</summary>
    internal Func<ParquetThrift> NewThrift => encoder.NewThrift;

    /// <summary>Complete once <see cref="Finish"/> was called.</summary>
    internal IReadOnlyList<EncodedRowGroup> RowGroups => groups;

    /// <summary>Appends one row with its lake columns.</summary>
    /// <exception cref="InvalidOperationException">
    /// Another schema or partition, an offset that does not ascend, a null where the schema has none.
    /// </exception>
    public void Append(DecodedRow row, int partition, long offset, string op, long version)
    {
        Check(row, partition, offset);
        var bytes = 0L;
        var cells = row.Cells;
        for (var i = 0; i < cells.Length; i++) bytes += columns[i].Append(in cells[i], row);

        bytes += opColumn.AppendRow(Utf8(op));
        bytes += partitionColumn.Append(new Cell { Bits = partition }, row);
        bytes += offsetColumn.Append(new Cell { Bits = offset }, row);
        bytes += versionColumn.Append(new Cell { Bits = version }, row);

        if (Rows == 0) FirstOffset = offset;
        LastOffset = offset;
        if (version > Version) Version = version;
        Bytes += bytes;
        Rows++;
        dataPage = (dataPage.Rows + 1, dataPage.Bytes + bytes);
        if (dataPage.Rows >= encoder.DataPageRows || dataPage.Bytes >= encoder.DataPageBytes
            || group.Rows + dataPage.Rows >= encoder.RowGroupRows)
        {
            EndDataPage();
        }
    }

    /// <summary>Encodes what is not yet encoded.</summary>
    public void Finish()
    {
        EndDataPage();
        EndGroup();
    }

    /// <summary>Empties it and keeps the arrays.</summary>
    public void Clear()
    {
        foreach (var chunk in chunks) chunk.Clear(encoder);
        DropEncoded();
        dataPage = group = default;
        Rows = 0;
        Bytes = Version = 0;
        FirstOffset = LastOffset = -1;
    }

    /// <summary>Gives up what was encoded, once it is written.</summary>
    internal void DropEncoded()
    {
        foreach (var chunk in groups.SelectMany(g => g.Chunks)) chunk.Clear();
        groups.Clear();
    }

    /// <summary>An empty one that is not used again counts no more.</summary>
    internal void GiveUp()
    {
        LargeAllocations.CountLeft(MemoryHeld);
        encoder.Held.Add(-MemoryHeld);
    }

    private void EndDataPage()
    {
        if (dataPage.Rows == 0) return;
        foreach (var column in columns) CheckRows(column);
        foreach (var chunk in chunks) chunk.EndDataPage(encoder);
        group = (group.Rows + dataPage.Rows, group.Bytes + dataPage.Bytes);
        dataPage = default;
        if (group.Rows >= encoder.RowGroupRows || group.Bytes >= RowGroupBytes) EndGroup();
    }

    private void EndGroup()
    {
        if (group.Rows == 0) return;
        groups.Add(new EncodedRowGroup(group.Rows, [.. chunks.Select(c => c.End(encoder))]));
        group = default;
    }

    private void CheckRows(ColumnBuffer column)
    {
        if (column.Rows != dataPage.Rows)
            throw new InvalidOperationException($"Column '{column.Column.Name}' has {column.Rows} rows in a data page of {dataPage.Rows}.");
    }

    private void Check(DecodedRow row, int partition, long offset)
    {
        if (!ReferenceEquals(row.Schema, Schema) && row.Schema.Fingerprint != Schema.Fingerprint)
            throw new InvalidOperationException(
                $"A row of schema {row.Schema.Fingerprint} was appended to a batch of schema {Schema.Fingerprint}.");
        if (Rows == 0) this.partition = partition;
        if (partition != this.partition)
            throw new InvalidOperationException($"A row of partition {partition} was appended to a batch of partition {this.partition}.");
        if (offset <= LastOffset)
            throw new InvalidOperationException(
                $"Offset {offset} was appended to a batch of partition {partition} that ends at offset {LastOffset}; offsets must ascend.");
    }

    /// <summary>Nearly every row has the same operation as the one before.</summary>
    private byte[] Utf8(string op)
    {
        if (op == lastOp) return lastOpBytes;
        lastOpBytes = Encoding.UTF8.GetBytes(op);
        lastOp = op;
        return lastOpBytes;
    }
}

/// <summary>A row group that waits to be written.</summary>
internal sealed record EncodedRowGroup(int Rows, ImmutableArray<EncodedChunk> Chunks);
