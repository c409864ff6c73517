using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace OrdersStream.Lake;

/// <summary>
/// Text of any origin as one name in a path, as Hive encodes partition values: all but letters, digits, '_', '-' and
/// inner dots as percent-encoded UTF-8. The result is never empty, hidden, "..", nor longer than file systems take, so no
/// value can lead out of the folder it belongs in.
/// </summary>
internal static class PathSegment
{
    /// <summary>Hive's folder for rows whose partition value is null (or has no name: an empty text, infinity).</summary>
    public const string DefaultPartition = "__HIVE_DEFAULT_PARTITION__";

    private const int BytesMax = 200;
    private const int NameBytesMax = 240;

    /// <summary><c>name=value</c>.</summary>
    /// <param name="column">The name.</param>
    /// <param name="value">UTF-8; empty: there is none.</param>
    /// <param name="noValue">What stands for none.</param>
    public static string OfPartition(string column, ReadOnlySpan<byte> value, string noValue = DefaultPartition)
    {
        var name = Encode(Encoding.UTF8.GetBytes(column), BytesMax);
        return $"{name}={(value.IsEmpty ? noValue : Encode(value, Math.Min(BytesMax, NameBytesMax - 1 - name.Length)))}";
    }

    public static string Encode(string text) => Encode(Encoding.UTF8.GetBytes(text), BytesMax);

    private static string Encode(ReadOnlySpan<byte> value, int bytesMax)
    {
        var encoded = new StringBuilder(value.Length);
        for (var i = 0; i < value.Length; i++)
        {
            if (IsPlain(value, i)) encoded.Append((char)value[i]);
            else encoded.Append(CultureInfo.InvariantCulture, $"%{value[i]:X2}");
        }
        // The real null keeps its name to itself.
        if (encoded.Equals(DefaultPartition)) encoded.Remove(0, 1).Insert(0, "%5F");
        return encoded.Length <= bytesMax ? encoded.ToString() : Shorten(encoded, value, bytesMax);
    }

    // A trailing dot is dropped by Windows, a leading one hides the folder.
    private static bool IsPlain(ReadOnlySpan<byte> value, int i) =>
        char.IsAsciiLetterOrDigit((char)value[i]) || value[i] is (byte)'_' or (byte)'-'
        || (value[i] == '.' && i > 0 && i < value.Length - 1);

    // Values that differ only behind the cut keep folders of their own.
    private static string Shorten(StringBuilder encoded, ReadOnlySpan<byte> value, int bytesMax)
    {
        var hash = Convert.ToHexStringLower(SHA256.HashData(value))[..16];
        var cut = bytesMax - 1 - hash.Length;
        for (var back = 1; back <= 2; back++)
            if (encoded[cut - back] == '%')
            {
                cut -= back;
                break;
            }
        return $"{encoded.ToString(0, cut)}-{hash}";
    }
}
