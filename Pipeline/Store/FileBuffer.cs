using OrdersStream.Rows;

namespace OrdersStream.Lake;

/// <summary>A data file to be: its rows, and the folder that they belong in.</summary>
internal sealed class LakeFile(TableSchema schema, PageEncoder encoder)
{
    public ColumnBatch Columns { get; } = new(schema, encoder);
    public string Folder { get; set; } = "";

    /// <summary>The most that the arrays of its page have held: about what it keeps when it is idle.</summary>
    public long PeakBytes { get; private set; }

    public void Clear()
    {
        PeakBytes = Math.Max(PeakBytes, Math.Min(Columns.Bytes, encoder.PageBytes));
        Columns.Clear();
    }
}

/// <summary>Idle files, by schema: their arrays are used again by the next batch. Keeps a bounded size (invariant 7).</summary>
internal sealed class LakeFilePool(PageEncoder encoder, long bytesMax)
{
    private readonly Dictionary<string, Stack<LakeFile>> idle = [];
    private long idleBytes;

    public LakeFile Rent(TableSchema schema, string folder)
    {
        LakeFile file;
        if (idle.TryGetValue(schema.Fingerprint, out var files) && files.TryPop(out var pooled))
        {
            file = pooled;
            idleBytes -= file.PeakBytes;
        }
        else
        {
            file = new LakeFile(schema, encoder);
        }
        file.Folder = folder;
        return file;
    }

    public void Return(LakeFile file)
    {
        file.Clear();
        if (idleBytes + file.PeakBytes > bytesMax) return;
        idleBytes += file.PeakBytes;
        var fingerprint = file.Columns.Schema.Fingerprint;
        if (!idle.TryGetValue(fingerprint, out var files)) idle[fingerprint] = files = new Stack<LakeFile>();
        files.Push(file);
    }
}
