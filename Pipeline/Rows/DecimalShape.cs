namespace OrdersStream.Rows;

/// <summary>
/// The DECIMAL that holds every value of a numeric(p,s) exactly: precision at most 38, scale from 0 to the precision.
/// </summary>
public readonly record struct DecimalShape(int Precision, int Scale)
{
    /// <summary>Most digits that a Parquet DECIMAL's readers agree on; an Int128 holds as many.</summary>
    public const int MaxPrecision = 38;

    private const long ExponentLimit = 1_000_000_000_000_000;

    /// <summary>Whole numbers of any digits that it can hold.</summary>
    internal static DecimalShape Integer => new(MaxPrecision, 0);

    /// <summary>
    /// The shape of a numeric, or null where only text is exact: no declared scale, or more than 38 digits.
    /// A negative scale rounds left of the point, so its values have |s| more digits there and none behind it;
    /// a scale above the precision means leading zeros behind the point, which a DECIMAL counts as digits.
    /// </summary>
    public static DecimalShape? Of(ColumnType type)
    {
        if (type is not { Kind: ColumnKind.Numeric, Precision: { } p, Scale: { } s }) return null;
        var shape = s < 0 ? new DecimalShape(p - s, 0) : new DecimalShape(Math.Max(p, s), s);
        return shape.Precision <= MaxPrecision ? shape : null;
    }

    /// <summary>A JSON number as an integer multiple of 10^-scale: exactly that, or not at all.</summary>
    /// <param name="number">A token of JSON's number grammar.</param>
    internal bool TryParse(ReadOnlySpan<byte> number, out Int128 unscaled)
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
        var zeros = trailing - behindPoint + exponent + Scale;
        var digits = last - first + 1 - (point > first && point < last ? 1 : 0);
        if (zeros < 0 || digits + zeros > Precision) return false;

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
