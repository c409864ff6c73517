namespace OrdersStream.Rows;

/// <summary>A JSON number as an integer multiple of 10^-scale: exactly that, or not at all.</summary>
internal static class ExactDecimal
{
    private const long ExponentLimit = 1_000_000_000_000_000;

    /// <param name="number">A token of JSON's number grammar.</param>
    /// <param name="scale">Digits behind the point to keep.</param>
    /// <param name="precision">Most digits of the result, at most 38.</param>
    public static bool TryParse(ReadOnlySpan<byte> number, int scale, int precision, out Int128 unscaled)
    {
        unscaled = 0;
        var negative = number[0] == '-';
        if (negative) number = number[1..];
        var exponentAt = number.IndexOfAny((byte)'e', (byte)'E');
        var exponent = exponentAt < 0 ? 0 : Exponent(number[(exponentAt + 1)..]);
        var mantissa = exponentAt < 0 ? number : number[..exponentAt];
        var point = mantissa.IndexOf((byte)'.');
        var behindPoint = point < 0 ? 0 : mantissa.Length - point - 1;

        // Zeros at either end say nothing; those behind the last other digit are given back to the exponent.
        var last = mantissa.LastIndexOfAnyInRange((byte)'1', (byte)'9');
        if (last < 0) return true;
        var first = mantissa.IndexOfAnyInRange((byte)'1', (byte)'9');
        long trailing = mantissa.Length - 1 - last - (point > last ? 1 : 0);
        var zeros = trailing - behindPoint + exponent + scale;
        var digits = last - first + 1 - (point > first && point < last ? 1 : 0);
        if (zeros < 0 || digits + zeros > precision) return false;

        foreach (var b in mantissa[first..(last + 1)])
            if (b != '.') unscaled = unscaled * 10 + (b - '0');
        for (; zeros > 0; zeros--) unscaled *= 10;
        if (negative) unscaled = -unscaled;
        return true;
    }

    /// <summary>Limited: beyond it a number is out of range for any column, whatever its digits.</summary>
    private static long Exponent(ReadOnlySpan<byte> text)
    {
        var negative = text[0] == '-';
        if (text[0] is (byte)'-' or (byte)'+') text = text[1..];
        long value = 0;
        foreach (var b in text)
            if (value < ExponentLimit) value = value * 10 + (b - '0');
        return negative ? -value : value;
    }
}
