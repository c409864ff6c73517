using System.Buffers.Binary;
using System.Text;

namespace OrdersStream.TestKit.Servers;

/// <summary>Kinds of requests that the tests name, by their numbers in the protocol.</summary>
public enum KafkaApi : short
{
    Produce = 0,
    Metadata = 3,
    FindCoordinator = 10,
    InitProducerId = 22,
    AddPartitionsToTxn = 24,
    EndTxn = 26,
}

/// <summary>One request of a client, as its header tells it.</summary>
/// <param name="Api">Its kind.</param>
/// <param name="Version">Of its kind.</param>
/// <param name="CorrelationId">The answer on the same connection carries it too.</param>
/// <param name="ClientId">Who asks; null: nobody says.</param>
/// <param name="Frame">All of its bytes, its length included.</param>
public sealed record KafkaRequest(KafkaApi Api, short Version, int CorrelationId, string? ClientId, ReadOnlyMemory<byte> Frame)
{
    /// <summary>How many of its kind the proxy has met, with this one: over all connections of the clients that it looks at.</summary>
    public long Number { get; init; }

    /// <param name="frame">With its length.</param>
    internal static KafkaRequest Of(ReadOnlyMemory<byte> frame)
    {
        var header = frame.Span[KafkaFrame.LengthBytes..];
        return new(
            (KafkaApi)BinaryPrimitives.ReadInt16BigEndian(header), BinaryPrimitives.ReadInt16BigEndian(header[2..]),
            BinaryPrimitives.ReadInt32BigEndian(header[4..]), ClientIdOf(header[8..]), frame);
    }

    // The same in every version of the header but the first, which only brokers among themselves ever used.
    private static string? ClientIdOf(ReadOnlySpan<byte> rest)
    {
        if (rest.Length < 2) return null;
        var length = BinaryPrimitives.ReadInt16BigEndian(rest);
        return length < 0 ? null : Encoding.UTF8.GetString(rest.Slice(2, length));
    }
}

/// <summary>What one side says to the other: a length, big endian, and as many bytes.</summary>
internal static class KafkaFrame
{
    public const int LengthBytes = 4;
    private const int CorrelationIdBytes = 4;

    /// <summary>What is longer is no frame of Kafka's, but of a protocol that nobody here expects (TLS).</summary>
    private const int BytesMax = 256 * 1024 * 1024;

    /// <summary>The next frame, in however many pieces it comes; null: the other side ended, in the middle of one too.</summary>
    public static async Task<ReadOnlyMemory<byte>?> ReadAsync(Stream from, CancellationToken cancellationToken)
    {
        var length = new byte[LengthBytes];
        if (!await FillAsync(from, length, cancellationToken)) return null;
        var bytes = BinaryPrimitives.ReadInt32BigEndian(length);
        if (bytes is < CorrelationIdBytes or > BytesMax)
            throw new InvalidDataException($"a frame of {bytes} bytes: is that Kafka's protocol?");
        var frame = new byte[LengthBytes + bytes];
        length.CopyTo(frame, 0);
        return await FillAsync(from, frame.AsMemory(LengthBytes), cancellationToken) ? frame : null;
    }

    /// <param name="answer">With its length.</param>
    public static int CorrelationIdOf(ReadOnlyMemory<byte> answer) => BinaryPrimitives.ReadInt32BigEndian(answer.Span[LengthBytes..]);

    private static async Task<bool> FillAsync(Stream from, Memory<byte> buffer, CancellationToken cancellationToken) =>
        await from.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken) == buffer.Length;
}
