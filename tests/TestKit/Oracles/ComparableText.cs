using System.Globalization;

namespace OrdersStream.TestKit.Oracles;

/// <summary>
/// One value as text that is the same whoever printed it: Postgres and DuckDB write the same floating point number, BC
/// year and fraction of a second in different ways.
/// </summary>
public static class ComparableText
{
    /// <param name="type">pg_type.typname of the value, of an array its element's.</param>
    /// <param name="text">As either database printed it.</param>
    public static string Of(string type, string text) => type switch
    {
        "float4" or "float8" => FloatingPoint(text),
        // DuckDB leaves the zero before the point out where the column has no digit there.
        "numeric" => text.StartsWith('.') ? "0" + text : text.StartsWith("-.", StringComparison.Ordinal) ? "-0" + text[1..] : text,
        "date" or "timestamp" or "timestamptz" or "time" => DateTime(text),
        _ => text,
    };

    private static string FloatingPoint(string text) => text.ToLowerInvariant() switch
    {
        "nan" or "-nan" => "NaN",
        "infinity" or "inf" => "Infinity",
        "-infinity" or "-inf" => "-Infinity",
        var number => double.Parse(number, CultureInfo.InvariantCulture).ToString("R", CultureInfo.InvariantCulture),
    };

    // One era mark at the end, the fraction without its last zeros, no offset (it is UTC).
    private static string DateTime(string text)
    {
        var era = text.Contains("BC", StringComparison.Ordinal) ? " BC" : "";
        var bare = text.Replace(" (BC)", "", StringComparison.Ordinal).Replace(" BC", "", StringComparison.Ordinal);
        if (bare.EndsWith("+00", StringComparison.Ordinal)) bare = bare[..^3];
        return (bare.Contains('.') ? bare.TrimEnd('0').TrimEnd('.') : bare) + era;
    }
}
