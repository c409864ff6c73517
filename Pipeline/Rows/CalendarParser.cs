using System.Buffers.Text;

namespace OrdersStream.Rows;

/// <summary>
/// Dates and times from ISO 8601 text as any producer writes it: T or a blank, up to nine decimals of which those behind
/// the sixth are zero, Z or an offset. What is not that, or lies beyond the native value's range, is false.
/// </summary>
internal static class CalendarParser
{
    private const int MicrosPerSecond = 1_000_000;

    public static bool TryDate(ReadOnlySpan<byte> text, out int days)
    {
        days = 0;
        if (TryInfinity(text, out var positive))
        {
            days = positive ? int.MaxValue : -int.MaxValue;
            return true;
        }
        if (!TryTakeDate(ref text, out var since1970) || text.Length > 0) return false;
        days = (int)since1970;
        return since1970 is > -int.MaxValue and < int.MaxValue;
    }

    /// <summary>From 00:00:00 to 24:00:00, no offset.</summary>
    public static bool TryTime(ReadOnlySpan<byte> text, out long micros)
    {
        if (!TryTakeTime(ref text, out micros) || text.Length > 0) return false;
        return micros <= Calendar.MicrosPerDay;
    }

    /// <param name="zoned">An offset or Z must be there; otherwise it must not.</param>
    /// <param name="micros">UTC where zoned.</param>
    public static bool TryTimestamp(ReadOnlySpan<byte> text, bool zoned, out long micros)
    {
        micros = 0;
        if (TryInfinity(text, out var positive))
        {
            micros = positive ? long.MaxValue : -long.MaxValue;
            return true;
        }
        if (!TryTakeDate(ref text, out var days)) return false;
        if (text.Length == 0 || text[0] is not ((byte)'T' or (byte)' ')) return false;
        text = text[1..];
        if (!TryTakeTime(ref text, out var ofDay) || ofDay >= Calendar.MicrosPerDay) return false;
        long offsetSeconds = 0;
        if (zoned && !TryTakeOffset(ref text, out offsetSeconds) || text.Length > 0) return false;
        return TryJoin(days, ofDay - offsetSeconds * MicrosPerSecond, out micros);
    }

    /// <summary>False where 64 bits of microseconds end (in the year 294247), and for the values that mean infinity.</summary>
    private static bool TryJoin(long days, long micros, out long since1970)
    {
        const long surelyInRange = 100_000_000;
        since1970 = days * Calendar.MicrosPerDay + micros;
        if (days is > -surelyInRange and < surelyInRange) return true;
        var exact = (Int128)days * Calendar.MicrosPerDay + micros;
        return exact > -long.MaxValue && exact < long.MaxValue;
    }

    private static bool TryInfinity(ReadOnlySpan<byte> text, out bool positive)
    {
        positive = text.Length > 0 && text[0] == 'i';
        return text.Length > 0 && text[0] is (byte)'i' or (byte)'-'
            && (positive ? text.SequenceEqual("infinity"u8) : text.SequenceEqual("-infinity"u8));
    }

    private static bool TryTakeDate(ref ReadOnlySpan<byte> text, out long days)
    {
        days = 0;
        if (!TryTakeYear(ref text, out var year)) return false;
        if (text.Length < 6 || text[0] != '-' || text[3] != '-') return false;
        var month = Two(text, 1);
        var day = Two(text, 4);
        text = text[6..];
        return (month | day) >= 0 && Calendar.TryFromCivil(year, month, day, out days);
    }

    /// <summary>Four digits; or a sign and four to seven (Postgres ends in the year 5874897), where minus zero is no year.</summary>
    private static bool TryTakeYear(ref ReadOnlySpan<byte> text, out long year)
    {
        year = 0;
        if (text.Length < 5) return false;
        if (text[0] is not ((byte)'+' or (byte)'-'))
        {
            var century = Two(text, 0);
            var ofCentury = Two(text, 2);
            year = century * 100 + ofCentury;
            text = text[4..];
            return (century | ofCentury) >= 0;
        }
        var negative = text[0] == '-';
        var digits = text[1..].IndexOf((byte)'-');
        if (digits is < 4 or > 7) return false;
        if (!Utf8Parser.TryParse(text.Slice(1, digits), out uint magnitude, out var consumed) || consumed != digits) return false;
        text = text[(1 + digits)..];
        year = negative ? -magnitude : magnitude;
        return !negative || magnitude > 0;
    }

    /// <summary>HH:MM:SS and a fraction. 24:00:00 passes: the caller decides.</summary>
    private static bool TryTakeTime(ref ReadOnlySpan<byte> text, out long micros)
    {
        micros = 0;
        if (text.Length < 8 || text[2] != ':' || text[5] != ':') return false;
        int hour = Two(text, 0), minute = Two(text, 3), second = Two(text, 6);
        if ((hour | minute | second) < 0 || hour > 24 || minute > 59 || second > 59) return false;
        text = text[8..];
        if (!TryTakeFraction(ref text, out var fraction)) return false;
        micros = (hour * 3600 + minute * 60 + second) * (long)MicrosPerSecond + fraction;
        return true;
    }

    private static bool TryTakeFraction(ref ReadOnlySpan<byte> text, out int micros)
    {
        micros = 0;
        if (text.Length == 0 || text[0] != '.') return true;
        var digits = 0;
        while (digits + 1 < text.Length && (uint)(text[digits + 1] - '0') <= 9)
        {
            var digit = text[++digits] - '0';
            if (digits <= 6) micros = micros * 10 + digit;
            else if (digit != 0 || digits > 9) return false;
        }
        if (digits == 0) return false;
        for (var i = digits; i < 6; i++) micros *= 10;
        text = text[(digits + 1)..];
        return true;
    }

    /// <summary>Z, ±HH, ±HHMM, ±HH:MM or ±HH:MM:SS.</summary>
    private static bool TryTakeOffset(ref ReadOnlySpan<byte> text, out long seconds)
    {
        seconds = 0;
        if (text.Length == 0) return false;
        var sign = text[0];
        text = text[1..];
        if (sign == 'Z') return true;
        if (sign is not ((byte)'+' or (byte)'-') || text.Length < 2) return false;
        int hours = Two(text, 0), minutes = 0, rest = 0;
        text = text[2..];
        var colon = text.Length > 0 && text[0] == ':';
        if (text.Length > 0 && !TryTakePart(ref text, colon, out minutes)) return false;
        if (text.Length > 0 && (!colon || !TryTakePart(ref text, colon, out rest))) return false;
        if ((hours | minutes | rest) < 0 || hours > 23 || minutes > 59 || rest > 59) return false;
        seconds = hours * 3600 + minutes * 60 + rest;
        if (sign == '-') seconds = -seconds;
        return true;
    }

    private static bool TryTakePart(ref ReadOnlySpan<byte> text, bool colon, out int value)
    {
        value = -1;
        if (colon)
        {
            if (text[0] != ':') return false;
            text = text[1..];
        }
        if (text.Length < 2) return false;
        value = Two(text, 0);
        text = text[2..];
        return true;
    }

    /// <summary>Two digits as a number, or a negative number where they are none.</summary>
    private static int Two(ReadOnlySpan<byte> text, int at)
    {
        uint tens = (uint)(text[at] - '0'), ones = (uint)(text[at + 1] - '0');
        return tens > 9 || ones > 9 ? -1 : (int)(tens * 10 + ones);
    }
}
