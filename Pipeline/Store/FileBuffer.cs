using OrdersStream.ParquetFormat;
using OrdersStream.Rows;

namespace OrdersStream.Store;

/// <summary>A data file to be: its rows, and the folder that they belong in.</summary>
internal sealed class FileBuffer(TableSchema schema, DataPageEncoder encoder)
{
    public ColumnBatch Columns { get; } = new(schema, encoder);
    public string Folder { get; set; } = "";

    /// <summary>The most that the arrays of its data page have held: about what it keeps when it is idle.</summary>
    public long PeakBytes { get; private set; }

    public void Clear()
    {
        PeakBytes = Math.Max(PeakBytes, Math.Min(Columns.Bytes, encoder.DataPageBytes));
        Columns.Clear();
    }
}

/// <summary>Idle files, by schema: their arrays are used again by the next batch. Keeps a bounded size (invariant 7).</summary>
internal sealed class FileBufferPool(DataPageEncoder encoder, long bytesMax)
{
    private readonly Dictionary<string, Stack<FileBuffer>> idle = [];
    private long idleBytes;

    public FileBuffer Rent(TableSchema schema, string folder)
    {
        FileBuffer file;
        if (idle.TryGetValue(schema.Fingerprint, out var files) && files.TryPop(out var pooled))
        {
            file = pooled;
            idleBytes -= file.PeakBytes;
        }
        else
        {
            file = new FileBuffer(schema, encoder);
        }
        file.Folder = folder;
        return file;
    }

    public void Return(FileBuffer file)
    {
        file.Clear();
        if (idleBytes + file.PeakBytes > bytesMax) return;
        idleBytes += file.PeakBytes;
        var fingerprint = file.Columns.Schema.Fingerprint;
        if (!idle.TryGetValue(fingerprint, out var files)) idle[fingerprint] = files = new Stack<FileBuffer>();
        files.Push(file);
    }
}
