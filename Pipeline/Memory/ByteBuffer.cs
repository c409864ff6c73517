namespace OrdersStream.Memory;

/// <summary>
/// A growing array of bytes that is written at its end and reused. Hot code asks for room once and writes into the
/// span, so no cell costs an object.
/// </summary>
/// <param name="initialBytes">Room at the beginning.</param>
/// <param name="grownBytes">Room that the first growth brings at the least: an array that is left behind takes memory for long.</param>
/// <param name="pinned">The collector does not move what was written, so that native code can read it; only growth does.</param>
public sealed class ByteBuffer(int initialBytes = 4096, int grownBytes = 0, bool pinned = false)
{
    private byte[] bytes = GC.AllocateUninitializedArray<byte>(initialBytes, pinned);

    /// <summary>Bytes written.</summary>
    public int Length { get; private set; }

    public ReadOnlySpan<byte> Written => bytes.AsSpan(0, Length);

    /// <summary>The array itself: valid until the next growth.</summary>
    public byte[] Array => bytes;

    /// <summary>At least <paramref name="count"/> free bytes; <see cref="Advance"/> tells how many were used.</summary>
    public Span<byte> GetSpan(int count)
    {
        if (bytes.Length - Length < count) Grow(count);
        return bytes.AsSpan(Length);
    }

    public void Advance(int count) => Length += count;

    public void Append(byte value)
    {
        if (bytes.Length == Length) Grow(1);
        bytes[Length++] = value;
    }

    public void Append(ReadOnlySpan<byte> value)
    {
        value.CopyTo(GetSpan(value.Length));
        Length += value.Length;
    }

    /// <summary>Cuts back to a length that was reached before.</summary>
    public void Truncate(int length) => Length = length;

    public void Clear() => Length = 0;

    private void Grow(int count)
    {
        var needed = Math.Max(bytes.Length < grownBytes ? grownBytes : bytes.Length * 2L, (long)Length + count);
        var grown = GC.AllocateUninitializedArray<byte>((int)Math.Min(needed, System.Array.MaxLength), pinned);
        Written.CopyTo(grown);
        bytes = grown;
        LargeAllocations.Count(grown.Length);
    }
}
