using System.Numerics;
using System.Text;
using CsCheck;
using OrdersStream.Rows;

namespace OrdersStream.UnitTests.Rows;

public sealed class DecimalShapeTests
{
    private static readonly Gen<string> Digits = Gen.OneOf(
        Gen.String[Gen.Char['0', '9'], 1, 25], Gen.String[Gen.OneOf('0', '0', '0', '5'), 1, 45]);

    [Fact]
    public void a_number_is_exact_or_refused() =>
        Gen.Select(Gen.Bool, Digits, Gen.OneOf(Digits, Gen.Const("")), Gen.Int[-50, 50], Gen.Int[0, 38], Gen.Int[0, 38])
            .Sample((negative, whole, fraction, exponent, a, b) =>
            {
                var (scale, precision) = (Math.Min(a, b), Math.Max(Math.Max(a, b), 1));
                var sign = negative ? "-" : "";
                var token = sign + whole + (fraction.Length > 0 ? "." + fraction : "") + (exponent == 0 ? "" : "e" + exponent);
                var expected = Oracle(BigInteger.Parse(sign + whole + fraction), exponent - fraction.Length + scale, precision);

                var parsed = new DecimalShape(precision, scale).TryParse(Encoding.ASCII.GetBytes(token), out var unscaled);
                Assert.Equal(expected, parsed ? (BigInteger)unscaled : null);
            }, iter: 20_000);

    private static BigInteger? Oracle(BigInteger mantissa, int shift, int precision)
    {
        var power = BigInteger.Pow(10, Math.Abs(shift));
        if (shift < 0 && !(mantissa % power).IsZero) return null;
        var value = shift < 0 ? mantissa / power : mantissa * power;
        return BigInteger.Abs(value) < BigInteger.Pow(10, precision) ? value : null;
    }
}
