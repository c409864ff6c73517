using System.Buffers.Binary;
using System.Buffers.Text;
using System.Globalization;
using OrdersStream.Memory;

namespace OrdersStream.Rows;

public static partial class JsonText
{
    private const int NumericPositive = 0x0000, NumericNegative = 0x4000;
    private const int NumericNaN = 0xC000, NumericInfinity = 0xD000, NumericMinusInfinity = 0xF000;

    /// <summary>A number with exactly <paramref name="scale"/> digits behind the point.</summary>
    /// <param name="scale">From 0 to 38.</param>
    public static void Decimal(ByteBuffer buffer, Int128 unscaled, int scale)
    {
        Span<byte> digits = stackalloc byte[40];
        var negative = Int128.IsNegative(unscaled);
        var magnitude = negative ? (UInt128)(-unscaled) : (UInt128)unscaled;
        int length;
        if (magnitude <= ulong.MaxValue) Utf8Formatter.TryFormat((ulong)magnitude, digits, out length);
        else magnitude.TryFormat(digits, out length, default, CultureInfo.InvariantCulture);

        var span = buffer.GetSpan(48);
        var at = 0;
        if (negative) span[at++] = (byte)'-';
        var whole = Math.Max(length - scale, 0);
        if (whole == 0) span[at++] = (byte)'0';
        digits[..whole].CopyTo(span[at..]);
        at += whole;
        if (scale > 0)
        {
            span[at++] = (byte)'.';
            var zeros = Math.Max(scale - length, 0);
            span.Slice(at, zeros).Fill((byte)'0');
            digits[whole..length].CopyTo(span[(at + zeros)..]);
            at += scale;
        }
        buffer.Advance(at);
    }

    /// <summary>A numeric that is carried as text: its digits as a number, its NaN and infinities as strings.</summary>
    public static void NumericText(ByteBuffer buffer, ReadOnlySpan<byte> text)
    {
        if (text.Length > 0 && char.IsAsciiDigit((char)text[^1])) buffer.Append(text);
        else String(buffer, text);
    }

    /// <summary>
    /// A numeric as the server sends it (base-10000 digits, the weight of the first, the display scale), with exactly the
    /// digits that its text form has. False when the bytes are no numeric; nothing is then written.
    /// </summary>
    internal static bool TryNumeric(ByteBuffer buffer, ReadOnlySpan<byte> field)
    {
        if (field.Length < 8) return false;
        var count = BinaryPrimitives.ReadUInt16BigEndian(field);
        var weight = BinaryPrimitives.ReadInt16BigEndian(field[2..]);
        var sign = BinaryPrimitives.ReadUInt16BigEndian(field[4..]);
        var scale = BinaryPrimitives.ReadUInt16BigEndian(field[6..]);
        var groups = field[8..];
        if (groups.Length != count * 2) return false;
        switch (sign)
        {
            case NumericPositive or NumericNegative: break;
            case NumericNaN: NonFinite(buffer, double.NaN); return true;
            case NumericInfinity: NonFinite(buffer, double.PositiveInfinity); return true;
            case NumericMinusInfinity: NonFinite(buffer, double.NegativeInfinity); return true;
            default: return false;
        }
        for (var i = 0; i < groups.Length; i += 2)
            if (BinaryPrimitives.ReadUInt16BigEndian(groups[i..]) > 9999) return false;

        var span = buffer.GetSpan(Math.Max(weight + 1, 1) * 4 + scale + 8);
        var at = 0;
        if (sign == NumericNegative) span[at++] = (byte)'-';
        at += WriteWhole(span[at..], groups, weight);
        if (scale > 0)
        {
            span[at++] = (byte)'.';
            WriteFraction(span[at..], groups, weight, scale);
            at += scale;
        }
        buffer.Advance(at);
        return true;
    }

    private static int WriteWhole(Span<byte> span, ReadOnlySpan<byte> groups, int weight)
    {
        if (weight < 0)
        {
            span[0] = (byte)'0';
            return 1;
        }
        Utf8Formatter.TryFormat((uint)Group(groups, 0), span, out var at);
        for (var i = 1; i <= weight; i++, at += 4) WriteFour(span[at..], Group(groups, i));
        return at;
    }

    /// <summary>Writes whole groups, so up to three digits more than the scale: the caller leaves room and takes what counts.</summary>
    private static void WriteFraction(Span<byte> span, ReadOnlySpan<byte> groups, int weight, int scale)
    {
        for (int i = weight + 1, at = 0; at < scale; i++, at += 4) WriteFour(span[at..], Group(groups, i));
    }

    private static int Group(ReadOnlySpan<byte> groups, int index) =>
        (uint)index * 2 < (uint)groups.Length ? BinaryPrimitives.ReadUInt16BigEndian(groups[(index * 2)..]) : 0;

    private static void WriteFour(Span<byte> span, int value)
    {
        WriteTwo(span, value / 100);
        WriteTwo(span[2..], value % 100);
    }
}
