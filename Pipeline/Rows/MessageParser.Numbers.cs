using System.Globalization;
using System.Text.Json;

namespace OrdersStream.Rows;

internal ref partial struct MessageParser
{
    /// <summary>As many digits always fit 64 bits, with any scale up to the same number.</summary>
    private const int ShortDigits = 18;

    private static ReadOnlySpan<long> PowerOf10 =>
    [
        1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000,
        10_000_000_000, 100_000_000_000, 1_000_000_000_000, 10_000_000_000_000, 100_000_000_000_000, 1_000_000_000_000_000,
        10_000_000_000_000_000, 100_000_000_000_000_000, 1_000_000_000_000_000_000,
    ];

    private void ReadInteger(ExpectedColumn column, ref Cell cell)
    {
        if (!TryReadShort(0, out var value))
        {
            var token = ReadNumber(column);
            if (!DecimalShape.Integer.TryParse(token, out var exact) || exact < column.Min || exact > column.Max)
                throw column.Unexpected();
            value = (long)exact;
        }
        if (value < column.Min || value > column.Max) throw column.Unexpected();
        cell = new Cell { Bits = value };
    }

    private void ReadNumeric(ExpectedColumn column, ref Cell cell)
    {
        if (column.Decimal is not { } shape) ReadNumericText(column, ref cell);
        else if (TryReadShort(shape.Scale, out var value))
        {
            if (shape.Precision <= ShortDigits && Math.Abs(value) >= PowerOf10[shape.Precision]) throw column.Unexpected();
            cell = new Cell { Bits = value, High = value >> 63 };
        }
        else
        {
            if (Next == '"')
                throw IsNonFinite(ReadString(column, ref cell))
                    ? column.Wrong("NaN and the infinities have no DECIMAL form")
                    : column.Unexpected();
            if (!shape.TryParse(ReadNumber(column), out var exact)) throw column.Unexpected();
            cell = new Cell { Bits = (long)(ulong)exact, High = (long)(ulong)(exact >> 64) };
        }
    }

    private void ReadNumericText(ExpectedColumn column, ref Cell cell)
    {
        if (Next == '"')
        {
            if (!IsNonFinite(ReadString(column, ref cell))) throw column.Unexpected();
            return;
        }
        var start = at;
        cell = new Cell { Start = start, Length = ReadNumber(column).Length };
    }

    private void ReadFloat(ExpectedColumn column, ref Cell cell)
    {
        double value;
        if (Next == '"')
        {
            var text = ReadString(column, ref cell);
            if (!IsNonFinite(text)) throw column.Unexpected();
            value = text[0] == 'N' ? double.NaN : text[0] == '-' ? double.NegativeInfinity : double.PositiveInfinity;
        }
        else
        {
            var token = ReadNumber(column);
            value = column.Kind == ColumnKind.Real
                ? float.Parse(token, NumberStyles.Float, CultureInfo.InvariantCulture)
                : double.Parse(token, NumberStyles.Float, CultureInfo.InvariantCulture);
            // As Postgres does: what is too great, or so small that it would become 0, is out of range.
            if (double.IsInfinity(value) || value == 0 && HasDigitOtherThanZero(token)) throw column.Unexpected();
        }
        cell = new Cell { Bits = BitConverter.DoubleToInt64Bits(value) };
    }

    private static bool IsNonFinite(ReadOnlySpan<byte> text) =>
        text.SequenceEqual("NaN"u8) || text.SequenceEqual("Infinity"u8) || text.SequenceEqual("-Infinity"u8);

    private static bool HasDigitOtherThanZero(ReadOnlySpan<byte> number)
    {
        var exponent = number.IndexOfAny((byte)'e', (byte)'E');
        return (exponent < 0 ? number : number[..exponent]).IndexOfAnyInRange((byte)'1', (byte)'9') >= 0;
    }

    /// <summary>
    /// The common number: no exponent, at most <paramref name="scale"/> decimals, few digits. False (and nothing read) for any other.
    /// </summary>
    private bool TryReadShort(int scale, out long unscaled)
    {
        unscaled = 0;
        var rest = json[at..];
        var i = rest.Length > 0 && rest[0] == '-' ? 1 : 0;
        var first = i;
        while (i < rest.Length && (uint)(rest[i] - '0') <= 9 && i - first < ShortDigits) unscaled = unscaled * 10 + (rest[i++] - '0');
        var digits = i - first;
        if (digits == 0 || digits > 1 && rest[first] == '0') return false;
        var decimals = 0;
        if (scale > 0 && i < rest.Length && rest[i] == '.')
        {
            var point = i++;
            while (i < rest.Length && (uint)(rest[i] - '0') <= 9 && decimals < scale && digits + decimals < ShortDigits)
            {
                unscaled = unscaled * 10 + (rest[i++] - '0');
                decimals = i - point - 1;
            }
            if (decimals == 0) return false;
        }
        if (i < rest.Length && (rest[i] is (byte)'.' or (byte)'e' or (byte)'E' || (uint)(rest[i] - '0') <= 9)) return false;
        if (digits + scale > ShortDigits) return false;
        if (decimals < scale) unscaled *= PowerOf10[scale - decimals];
        if (first == 1) unscaled = -unscaled;
        at += i;
        return true;
    }

    /// <summary>A token of JSON's number grammar.</summary>
    private ReadOnlySpan<byte> ReadNumber(ExpectedColumn column)
    {
        try
        {
            var reader = new Utf8JsonReader(json[at..]);
            if (!reader.Read() || reader.TokenType != JsonTokenType.Number) throw column.Unexpected();
            at += reader.ValueSpan.Length;
            return reader.ValueSpan;
        }
        catch (JsonException)
        {
            throw column.Unexpected();
        }
    }
}
