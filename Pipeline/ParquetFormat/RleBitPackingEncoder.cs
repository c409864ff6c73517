using System.Numerics;
using OrdersStream.Memory;

namespace OrdersStream.ParquetFormat;

/// <summary>
/// Parquet's RLE/bit-packing hybrid, for levels and dictionary indices: eight or more equal values become a run, the rest
/// is packed in groups of eight. What is left over at the end becomes short runs: readers differ in how they take a
/// group that is padded.
/// </summary>
internal static class RleBitPackingEncoder
{
    private const int Group = 8;

    public static void Encode<T>(ReadOnlySpan<T> values, int bitWidth, ByteBuffer to) where T : unmanaged, IBinaryInteger<T>
    {
        while (values.Length > 0)
        {
            var run = RunLength(values);
            if (run < Group && values.Length >= Group)
            {
                var packed = Group;
                while (values.Length - packed >= Group && !StartsWithGroupRun(values[packed..])) packed += Group;
                Pack(values[..packed], bitWidth, to);
                values = values[packed..];
                continue;
            }
            AppendVarint((uint)run << 1, to);
            AppendLittleEndian(int.CreateTruncating(values[0]), (bitWidth + 7) / 8, to);
            values = values[run..];
        }
    }

    private static int RunLength<T>(ReadOnlySpan<T> values) where T : unmanaged, IBinaryInteger<T>
    {
        var end = values.IndexOfAnyExcept(values[0]);
        return end < 0 ? values.Length : end;
    }

    private static bool StartsWithGroupRun<T>(ReadOnlySpan<T> values) where T : unmanaged, IBinaryInteger<T> =>
        values[0] == values[1] && values[..Group].IndexOfAnyExcept(values[0]) < 0;

    private static void Pack<T>(ReadOnlySpan<T> values, int bitWidth, ByteBuffer to) where T : unmanaged, IBinaryInteger<T>
    {
        AppendVarint((uint)(values.Length / Group) << 1 | 1, to);
        var bytes = values.Length / Group * bitWidth;
        var target = to.GetSpan(bytes);
        var (pending, bits, at) = (0UL, 0, 0);
        foreach (var value in values)
        {
            pending |= ulong.CreateTruncating(value) << bits;
            for (bits += bitWidth; bits >= 8; bits -= 8)
            {
                target[at++] = (byte)pending;
                pending >>= 8;
            }
        }
        to.Advance(bytes);
    }

    private static void AppendVarint(uint value, ByteBuffer to)
    {
        for (; value >= 0x80; value >>= 7) to.Append((byte)(value | 0x80));
        to.Append((byte)value);
    }

    private static void AppendLittleEndian(int value, int bytes, ByteBuffer to)
    {
        for (; bytes > 0; bytes--, value >>= 8) to.Append((byte)value);
    }
}
