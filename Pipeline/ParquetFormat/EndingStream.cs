namespace OrdersStream.ParquetFormat;

/// <summary>
/// A file that cannot be read on behind its end: Parquet.Net takes "no byte left" for the byte 255, and so a page's header that was cut for
/// a number that never ends.
/// </summary>
/// <param name="file">Owned.</param>
internal sealed class EndingStream(Stream file) : Stream
{
    public override bool CanRead => true;
    public override bool CanSeek => true;
    public override bool CanWrite => false;
    public override long Length => file.Length;
    public override long Position { get => file.Position; set => file.Position = value; }

    /// <exception cref="EndOfStreamException">Nothing is left.</exception>
    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    /// <exception cref="EndOfStreamException">Nothing is left.</exception>
    public override int Read(Span<byte> buffer) => Checked(file.Read(buffer), buffer.Length);

    /// <exception cref="EndOfStreamException">Nothing is left.</exception>
    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <exception cref="EndOfStreamException">Nothing is left.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        Checked(await file.ReadAsync(buffer, cancellationToken), buffer.Length);

    public override long Seek(long offset, SeekOrigin origin) => file.Seek(offset, origin);

    public override void Flush()
    {
    }

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing) file.Dispose();
        base.Dispose(disposing);
    }

    private static int Checked(int read, int wanted) =>
        read > 0 || wanted == 0 ? read : throw new EndOfStreamException("it ends in the middle of a page.");
}
