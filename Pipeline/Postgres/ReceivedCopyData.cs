using System.Buffers.Binary;
using System.Reflection;
using System.Runtime.CompilerServices;
using Npgsql;

namespace OrdersStream.Postgres;

/// <summary>
/// What of a COPY has been received and not yet asked for. Postgres sends a message a row, and Npgsql hands out no more
/// than one message a read, at about a microsecond each: more than a row costs otherwise. So the first is read as it offers, and
/// the whole messages that lie behind it in its receive buffer are taken from there. Everything else (waiting,
/// cancellation, errors, the end) stays with Npgsql.
/// </summary>
/// <remarks>
/// The buffer is no public part of Npgsql, whose version is pinned.
/// Where a later one looks different, every read is an ordinary one, and a test fails.
/// </remarks>
internal sealed class ReceivedCopyData
{
    private const string BufferType = "Npgsql.Internal.NpgsqlReadBuffer, Npgsql";
    private const int HeaderBytes = 5;
    private const byte CopyData = (byte)'d';

    private readonly NpgsqlRawCopyStream stream;
    private readonly object buffer;

    private ReceivedCopyData(NpgsqlRawCopyStream stream, object buffer) => (this.stream, this.buffer) = (stream, buffer);

    /// <summary>Null where Npgsql is not as it is known here.</summary>
    public static ReceivedCopyData? Of(NpgsqlRawCopyStream stream)
    {
        try
        {
            var field = typeof(NpgsqlRawCopyStream).GetField("_readBuf", BindingFlags.Instance | BindingFlags.NonPublic);
            if (field?.GetValue(stream) is not { } buffer) return null;
            var received = new ReceivedCopyData(stream, buffer);
            received.Take([]);
            return received;
        }
        catch (Exception)
        {
            // Whatever a later version has in its place: nothing was taken.
            return null;
        }
    }

    /// <summary>Takes the contents of whole messages, as many as there are and fit.</summary>
    /// <returns>Bytes taken.</returns>
    public int Take(Span<byte> target)
    {
        // Npgsql stands within a message: the rest of it is its to give.
        if (LeftInMessage(stream) != 0) return 0;
        var received = Bytes(buffer).AsSpan(0, Filled(buffer));
        var position = Position(buffer);
        var taken = 0;
        while (received.Length - position >= HeaderBytes && received[position] == CopyData)
        {
            // The length counts itself.
            var length = BinaryPrimitives.ReadInt32BigEndian(received[(position + 1)..]) - sizeof(int);
            if (length < 0 || length > received.Length - position - HeaderBytes || length > target.Length - taken) break;
            received.Slice(position + HeaderBytes, length).CopyTo(target[taken..]);
            taken += length;
            position += HeaderBytes + length;
        }
        if (taken > 0) SetPosition(buffer, position);
        return taken;
    }

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_leftToReadInDataMsg")]
    private static extern ref int LeftInMessage(NpgsqlRawCopyStream stream);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "Buffer")]
    private static extern ref byte[] Bytes([UnsafeAccessorType(BufferType)] object buffer);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "FilledBytes")]
    private static extern ref int Filled([UnsafeAccessorType(BufferType)] object buffer);

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_ReadPosition")]
    private static extern int Position([UnsafeAccessorType(BufferType)] object buffer);

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "set_ReadPosition")]
    private static extern void SetPosition([UnsafeAccessorType(BufferType)] object buffer, int value);
}
