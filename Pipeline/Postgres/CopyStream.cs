using System.Buffers.Binary;
using Npgsql;
using OrdersStream.Diagnostics;
using OrdersStream.Memory;
using OrdersStream.Rows;

namespace OrdersStream.Postgres;

/// <summary>
/// The bytes of one binary COPY ... TO STDOUT, as a window that slides over them: a tuple is parsed where it lies. The
/// buffer grows to the largest row and no further (invariant 7).
/// </summary>
internal sealed class CopyStream : IAsyncDisposable
{
    private const int HeaderBytes = 19;
    private static ReadOnlySpan<byte> Signature =>
        [(byte)'P', (byte)'G', (byte)'C', (byte)'O', (byte)'P', (byte)'Y', (byte)'\n', 0xff, (byte)'\r', (byte)'\n', 0];

    private readonly NpgsqlRawCopyStream stream;
    private readonly ReceivedCopyData? received;
    private byte[] buffer = new byte[256 * 1024];
    private int start;
    private int end;
    private bool ended;
    private int previous;
    private int previousBytes;

    private CopyStream(NpgsqlRawCopyStream stream, ReceivedCopyData? received) => (this.stream, this.received) = (stream, received);

    private ReadOnlySpan<byte> Unread => buffer.AsSpan(start, end - start);

    /// <summary>The end marker stands next: no tuple follows.</summary>
    private bool IsAtEnd => end - start >= 2 && BinaryPrimitives.ReadInt16BigEndian(Unread) == -1;

    /// <summary>The tuple encoded last; it stays where it is until the next one is.</summary>
    public ReadOnlySpan<byte> Previous => buffer.AsSpan(previous, previousBytes);

    /// <summary>Begins the COPY of a query's rows.</summary>
    public static Task<CopyStream> OpenAsync(NpgsqlConnection connection, string query, CancellationToken cancellationToken) =>
        OpenAsync(connection, query, ReceivedCopyData.Of, cancellationToken);

    /// <param name="connection">Of the server.</param>
    /// <param name="query">A SELECT.</param>
    /// <param name="take">What takes rows that were received already; null of it: each is asked for.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    internal static async Task<CopyStream> OpenAsync(
        NpgsqlConnection connection, string query, Func<NpgsqlRawCopyStream, ReceivedCopyData?> take, CancellationToken cancellationToken)
    {
        var stream = await connection.BeginRawBinaryCopyAsync($"COPY ({query}) TO STDOUT (FORMAT binary)", cancellationToken);
        var copy = new CopyStream(stream, take(stream));
        try
        {
            await copy.ReadHeaderAsync(cancellationToken);
            return copy;
        }
        catch
        {
            await copy.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// Encodes the next tuple into the emptied buffers, where all of it has been received. Not asynchronous: to await each row
    /// would cost more than to read it. So rows are read as <c>while (copy.TryNext(...) || await copy.WaitNextAsync(...))</c>.
    /// </summary>
    /// <returns>False: it has not, or there is none.</returns>
    public bool TryNext(MessageEncoder encoder, ByteBuffer key, ByteBuffer value)
    {
        if (IsAtEnd) return false;
        key.Clear();
        value.Clear();
        var bytes = encoder.Encode(Unread, key, value);
        if (bytes == 0) return false;
        (previous, previousBytes) = (start, bytes);
        start += bytes;
        return true;
    }

    /// <summary>The same, and waits for what has not been received.</summary>
    /// <returns>False: there is no further tuple, and the statement has ended in success.</returns>
    public async ValueTask<bool> WaitNextAsync(
        MessageEncoder encoder, ByteBuffer key, ByteBuffer value, CancellationToken cancellationToken)
    {
        while (!IsAtEnd)
        {
            await FillAsync(cancellationToken);
            if (TryNext(encoder, key, value)) return true;
        }
        await FinishAsync(cancellationToken);
        return false;
    }

    private async ValueTask ReadHeaderAsync(CancellationToken cancellationToken)
    {
        while (end - start < HeaderBytes) await FillAsync(cancellationToken);
        if (!Unread.StartsWith(Signature)) throw Broken("it does not begin as a binary COPY does");
        var extension = BinaryPrimitives.ReadInt32BigEndian(Unread[15..]);
        while (end - start < HeaderBytes + extension) await FillAsync(cancellationToken);
        start += HeaderBytes + extension;
        previous = start;
    }

    /// <summary>Reads more behind what is there.</summary>
    private async ValueTask FillAsync(CancellationToken cancellationToken)
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
        if (received is not null) end += received.Take(buffer.AsSpan(end));
    }

    /// <summary>Reads past the end marker, so that the statement ends in success.</summary>
    private async ValueTask FinishAsync(CancellationToken cancellationToken)
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
