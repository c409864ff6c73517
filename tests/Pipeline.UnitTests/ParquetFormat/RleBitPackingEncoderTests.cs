using CsCheck;
using OrdersStream.Memory;
using OrdersStream.ParquetFormat;

namespace OrdersStream.UnitTests.ParquetFormat;

public sealed class RleBitPackingEncoderTests
{
    [Fact]
    public void whatever_is_encoded_is_decoded()
    {
        var runs = Gen.Select(Gen.Int[1, 20], Gen.Int[1, 40]).SelectMany((width, count) =>
            Gen.Select(Gen.Int[0, (1 << width) - 1], Gen.OneOf(Gen.Const(1), Gen.Int[1, 30])).Array[count].Select(pairs =>
                (width, values: pairs.SelectMany(p => Enumerable.Repeat(p.Item1, p.Item2)).ToArray())));
        runs.Sample(sample =>
        {
            var buffer = new ByteBuffer();
            RleBitPackingEncoder.Encode<int>(sample.values, sample.width, buffer);
            return Decode(buffer.Written, sample.width).SequenceEqual(sample.values);
        });
    }

    [Fact]
    public void equal_values_are_a_run_and_others_are_packed()
    {
        var buffer = new ByteBuffer();
        RleBitPackingEncoder.Encode<byte>([1, 1, 1, 1, 1, 1, 1, 1, 1, 1], 1, buffer);
        Assert.Equal([20, 1], buffer.Written.ToArray());
        buffer.Clear();
        // The example of Parquet's own description: 0 to 7 in three bits.
        RleBitPackingEncoder.Encode<byte>([0, 1, 2, 3, 4, 5, 6, 7], 3, buffer);
        Assert.Equal([0b11, 0b10001000, 0b11000110, 0b11111010], buffer.Written.ToArray());
    }

    [Fact]
    public void a_long_run_behind_packed_values_is_a_run_again()
    {
        var buffer = new ByteBuffer();
        RleBitPackingEncoder.Encode<byte>([0, 1, 2, 3, 4, 5, 6, 7, .. Enumerable.Repeat((byte)5, 10_000)], 3, buffer);
        Assert.InRange(buffer.Length, 5, 10);
    }

    /// <summary>By the description of the encoding, value by value and bit by bit.</summary>
    private static List<int> Decode(ReadOnlySpan<byte> bytes, int width)
    {
        var values = new List<int>();
        var at = 0;
        while (at < bytes.Length)
        {
            var (header, shift) = (0, 0);
            do header |= (bytes[at] & 0x7f) << shift; while (bytes[at++] >= 0x80 && (shift += 7) > 0);
            if ((header & 1) == 0)
            {
                var value = 0;
                for (var b = 0; b < (width + 7) / 8; b++) value |= bytes[at++] << (8 * b);
                values.AddRange(Enumerable.Repeat(value, header >> 1));
                continue;
            }
            for (var i = 0; i < (header >> 1) * 8; i++)
            {
                var value = 0;
                for (var bit = 0; bit < width; bit++)
                {
                    var position = i * width + bit;
                    value |= (bytes[at + position / 8] >> (position % 8) & 1) << bit;
                }
                values.Add(value);
            }
            at += (header >> 1) * width;
        }
        return values;
    }
}
