using System.Buffers.Binary;
using OrdersStream.Memory;

namespace OrdersStream.Rows;

public static partial class JsonText
{
    /// <summary>
    /// YYYY-MM-DD in the proleptic Gregorian calendar, as Postgres counts; <see cref="int.MaxValue"/> and its negative are the
    /// infinities.
    /// </summary>
    /// <param name="days">Since 1970-01-01.</param>
    public static void Date(ByteBuffer buffer, int days)
    {
        if (days is int.MaxValue or -int.MaxValue) Infinity(buffer, days > 0);
        else QuotedDate(buffer, days);
    }

    /// <summary>HH:MM:SS.ffffff; midnight at the day's end is 24:00:00.000000.</summary>
    /// <param name="micros">Since midnight.</param>
    public static void Time(ByteBuffer buffer, long micros)
    {
        var span = buffer.GetSpan(17);
        span[0] = (byte)'"';
        WriteTime(span[1..], micros);
        span[16] = (byte)'"';
        buffer.Advance(17);
    }

    /// <summary>
    /// YYYY-MM-DDTHH:MM:SS.ffffff, for a timestamptz with Z; <see cref="long.MaxValue"/> and its negative are the infinities.
    /// </summary>
    /// <param name="micros">Since 1970-01-01.</param>
    public static void Timestamp(ByteBuffer buffer, long micros, bool utc)
    {
        if (micros is long.MaxValue or -long.MaxValue)
        {
            Infinity(buffer, micros > 0);
            return;
        }
        var (days, ofDay) = Calendar.SplitDay(micros);
        Timestamp(buffer, days, ofDay, utc);
    }

    /// <summary>
    /// The same from day and time of day: reaches Postgres' whole range, which 64 bits of microseconds since 1970 do not.
    /// </summary>
    internal static void Timestamp(ByteBuffer buffer, long days, long microsOfDay, bool utc)
    {
        var span = buffer.GetSpan(48);
        span[0] = (byte)'"';
        var at = 1 + WriteDate(span[1..], days);
        span[at++] = (byte)'T';
        WriteTime(span[at..], microsOfDay);
        at += 15;
        if (utc) span[at++] = (byte)'Z';
        span[at++] = (byte)'"';
        buffer.Advance(at);
    }

    internal static void QuotedDate(ByteBuffer buffer, long days)
    {
        var span = buffer.GetSpan(32);
        span[0] = (byte)'"';
        var at = 1 + WriteDate(span[1..], days);
        span[at++] = (byte)'"';
        buffer.Advance(at);
    }

    internal static void Infinity(ByteBuffer buffer, bool positive) =>
        buffer.Append(positive ? "\"infinity\""u8 : "\"-infinity\""u8);

    private static int WriteDate(Span<byte> span, long days)
    {
        var (year, month, day) = Calendar.ToCivil(days);
        var at = 4;
        if ((ulong)year <= 9999)
        {
            WriteTwo(span, (int)year / 100);
            WriteTwo(span[2..], (int)year % 100);
        }
        else
        {
            at = WriteLongYear(span, year);
        }
        span = span[at..];
        span[0] = (byte)'-';
        WriteTwo(span[1..], month);
        span[3] = (byte)'-';
        WriteTwo(span[4..], day);
        return at + 6;
    }

    /// <summary>ISO 8601's form for years that four digits cannot say: a sign, then at least four digits. Year 0 is 1 BC.</summary>
    private static int WriteLongYear(Span<byte> span, long year)
    {
        span[0] = year < 0 ? (byte)'-' : (byte)'+';
        Math.Abs(year).TryFormat(span[1..], out var written, "D4", System.Globalization.CultureInfo.InvariantCulture);
        return 1 + written;
    }

    private static void WriteTime(Span<byte> span, long micros)
    {
        span = span[..15];
        var seconds = (int)(micros / 1_000_000);
        var fraction = (int)(micros - seconds * 1_000_000L);
        WriteTwo(span, seconds / 3600);
        span[2] = (byte)':';
        WriteTwo(span[3..], seconds / 60 % 60);
        span[5] = (byte)':';
        WriteTwo(span[6..], seconds % 60);
        span[8] = (byte)'.';
        WriteTwo(span[9..], fraction / 10_000);
        WriteTwo(span[11..], fraction / 100 % 100);
        WriteTwo(span[13..], fraction % 100);
    }

    private static void WriteTwo(Span<byte> span, int value)
    {
        var tens = value / 10;
        BinaryPrimitives.WriteUInt16LittleEndian(span, (ushort)(0x3030 + tens + ((value - tens * 10) << 8)));
    }
}
