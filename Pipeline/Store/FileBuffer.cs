using OrdersStream.ParquetFormat;
using OrdersStream.Rows;

namespace OrdersStream.Store;

/// <summary>A data file to be: its rows, and the folder that they belong in.</summary>
internal sealed class FileBuffer(TableSchema schema, DataPageEncoder encoder)
{
    public ColumnBatch Columns { get; } = new(schema, encoder);
    public string Folder { get; set; } = "";
}

/// <summary>
/// Idle files, by schema: their arrays are used again by the next batch. What they hold in memory is bounded (invariant 7), and hardly
/// any of it is of no use: rows of many folders must not meet arrays that once served one.
/// </summary>
internal sealed class FileBufferPool(DataPageEncoder encoder, long bytesMax)
{
    /// <summary>Held for each column of a file of a single row.</summary>
    private const int ColumnBytesMin = 512;

    private readonly Dictionary<string, Stack<FileBuffer>> idle = [];
    private long idleBytes;

    /// <summary>What is held by files that are not idle.</summary>
    public long OpenBytes => encoder.Held.Bytes - idleBytes;

    public FileBuffer Rent(TableSchema schema, string folder)
    {
        FileBuffer file;
        if (idle.TryGetValue(schema.Fingerprint, out var files) && files.TryPop(out var pooled))
        {
            file = pooled;
            idleBytes -= file.Columns.MemoryHeld;
        }
        else
        {
            // The arrays of another schema would be held besides.
            DropIdle();
            file = new FileBuffer(schema, encoder);
        }
        file.Folder = folder;
        return file;
    }

    public void Return(FileBuffer file)
    {
        var used = Math.Min(file.Columns.Bytes, encoder.DataPageBytes);
        file.Columns.Clear();
        var held = file.Columns.MemoryHeld;
        // A few too large ones are kept: which of a batch's files has most of the rows is a matter of chance.
        var isUsed = held <= 4 * used + ColumnBytesMin * file.Columns.Columns.Count();
        if (idleBytes + held > (isUsed ? bytesMax : bytesMax / 4))
        {
            file.Columns.GiveUp();
            return;
        }
        idleBytes += held;
        var fingerprint = file.Columns.Schema.Fingerprint;
        if (!idle.TryGetValue(fingerprint, out var files)) idle[fingerprint] = files = new Stack<FileBuffer>();
        files.Push(file);
    }

    private void DropIdle()
    {
        foreach (var file in idle.Values.SelectMany(f => f)) file.Columns.GiveUp();
        idle.Clear();
        idleBytes = 0;
    }
}
