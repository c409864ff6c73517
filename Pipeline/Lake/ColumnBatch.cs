using System.Collections.Immutable;
using System.Text;
using OrdersStream.Rows;

namespace OrdersStream.Lake;

/// <summary>
/// Rows of one file to be, held by column in typed arrays that are reused from batch to batch. All rows are of one
/// schema, one Kafka partition and one lake partition, in offset order. After an exception it must be cleared.
/// </summary>
public sealed class ColumnBatch
{
    private readonly ImmutableArray<ColumnBuffer> columns;
    private readonly BytesBuffer opColumn;
    private readonly ColumnBuffer partitionColumn;
    private readonly ColumnBuffer offsetColumn;
    private string lastOp = "";
    private byte[] lastOpBytes = [];
    private int partition;

    public ColumnBatch(TableSchema schema)
    {
        Schema = schema;
        columns = [.. ParquetSchemaFactory.Columns(schema).Select(ColumnBuffer.For)];
        (opColumn, partitionColumn, offsetColumn) = ((BytesBuffer)columns[^3], columns[^2], columns[^1]);
    }

    public TableSchema Schema { get; }
    public int Rows { get; private set; }

    /// <summary>Decoded size, bytes: what the batch and file limits count.</summary>
    public long Bytes { get; private set; }

    public long FirstOffset { get; private set; } = -1;
    public long LastOffset { get; private set; } = -1;

    /// <summary>In the file's order.</summary>
    internal ImmutableArray<ColumnBuffer> Columns => columns;

    /// <summary>Appends one row with its lake columns.</summary>
    /// <exception cref="InvalidOperationException">Another schema or partition, an offset that does not ascend, a null where the schema has none.</exception>
    public void Append(DecodedRow row, int partition, long offset, string op)
    {
        Check(row, partition, offset);
        var bytes = 0L;
        var cells = row.Cells;
        for (var i = 0; i < cells.Length; i++) bytes += columns[i].Append(in cells[i], row);

        bytes += opColumn.AppendRow(Utf8(op));
        bytes += partitionColumn.Append(new Cell { Bits = partition }, row);
        bytes += offsetColumn.Append(new Cell { Bits = offset }, row);

        if (Rows == 0) FirstOffset = offset;
        LastOffset = offset;
        Bytes += bytes;
        Rows++;
    }

    /// <summary>Empties it and keeps the arrays.</summary>
    public void Clear()
    {
        foreach (var column in columns) column.Clear();
        Rows = 0;
        Bytes = 0;
        FirstOffset = LastOffset = -1;
    }

    private void Check(DecodedRow row, int partition, long offset)
    {
        if (!ReferenceEquals(row.Schema, Schema) && row.Schema.Fingerprint != Schema.Fingerprint)
            throw new InvalidOperationException($"A row of schema {row.Schema.Fingerprint} was appended to a batch of schema {Schema.Fingerprint}.");
        if (Rows == 0) this.partition = partition;
        if (partition != this.partition)
            throw new InvalidOperationException($"A row of partition {partition} was appended to a batch of partition {this.partition}.");
        if (offset <= LastOffset)
            throw new InvalidOperationException($"Offset {offset} was appended to a batch of partition {partition} that ends at offset {LastOffset}; offsets must ascend.");
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
