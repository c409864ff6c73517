using System.Buffers.Binary;
using Npgsql;
using OrdersStream.Diagnostics;

namespace OrdersStream.Postgres;

/// <summary>
/// The bytes of one binary COPY ... TO STDOUT, as a window that slides over them: a tuple is parsed where it lies. The
/// buffer grows to the largest row and no further (invariant 7).
/// </summary>
internal sealed class CopyStream(NpgsqlRawCopyStream stream) : IAsyncDisposable
{
    private const int HeaderBytes = 19;
    private static ReadOnlySpan<byte> Signature => [(byte)'P', (byte)'G', (byte)'C', (byte)'O', (byte)'P', (byte)'Y', (byte)'\n', 0xff, (byte)'\r', (byte)'\n', 0];

    private byte[] buffer = new byte[256 * 1024];
    private int start;
    private int end;
    private bool ended;
    private int previous;
    private int previousBytes;

    /// <summary>What is read and not yet consumed.</summary>
    public ReadOnlySpan<byte> Unread => buffer.AsSpan(start, end - start);

    /// <summary>The end marker stands next: no tuple follows.</summary>
    public bool IsAtEnd => end - start >= 2 && BinaryPrimitives.ReadInt16BigEndian(Unread) == -1;

    /// <summary>The tuple consumed last; it stays where it is until the next one is consumed.</summary>
    public ReadOnlySpan<byte> Previous => buffer.AsSpan(previous, previousBytes);

    /// <summary>Steps over a tuple.</summary>
    public void Consume(int bytes)
    {
        (previous, previousBytes) = (start, bytes);
        start += bytes;
    }

    /// <summary>Reads and checks the stream's header.</summary>
    public async ValueTask ReadHeaderAsync(CancellationToken cancellationToken)
    {
        while (end - start < HeaderBytes) await FillAsync(cancellationToken);
        if (!Unread.StartsWith(Signature)) throw Broken("it does not begin as a binary COPY does");
        var extension = BinaryPrimitives.ReadInt32BigEndian(Unread[15..]);
        while (end - start < HeaderBytes + extension) await FillAsync(cancellationToken);
        start += HeaderBytes + extension;
        previous = start;
    }

    /// <summary>Reads more behind what is there.</summary>
    public async ValueTask FillAsync(CancellationToken cancellationToken)
    {
        if (ended) throw Broken("it ended inside a row");
        if (previous > 0 && buffer.Length - end < 16 * 1024)
        {
            Buffer.BlockCopy(buffer, previous, buffer, 0, end - previous);
            (start, end, previous) = (start - previous, end - previous, 0);
        }
        if (end == buffer.Length) Array.Resize(ref buffer, buffer.Length * 2);
        var read = await stream.ReadAsync(buffer.AsMemory(end), cancellationToken);
        if (read == 0) ended = true;
        end += read;
    }

    /// <summary>Reads past the end marker, so that the statement ends in success.</summary>
    public async ValueTask FinishAsync(CancellationToken cancellationToken)
    {
        start += 2;
        while (!ended) await FillAsync(cancellationToken);
    }

    /// <summary>Ends the statement; one that is not at its end is cancelled at the server, so that the rest is not read.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!ended)
        {
            try { await stream.CancelAsync(); }
            catch (Exception e) when (e is NpgsqlException or IOException or OperationCanceledException or ObjectDisposedException)
            {
                // The connection is gone already; whoever holds it finds that out.
            }
        }
        await stream.DisposeAsync();
    }

    private static PipelineException Broken(string how) =>
        new(FailureAction.Retry, $"The COPY stream from Postgres is broken: {how}.", "It is read again from the cursor.");
}
