using System.Text;

namespace OrdersStream.UnitTests.Fuzzing;

/// <summary>
/// Makes new inputs of kept ones: by bytes, by the words of the target, and by the values that brackets, quotes and line ends set
/// apart.
/// </summary>
internal sealed class Mutator(Random random, IReadOnlyList<string> words, int bytesMax)
{
    /// <summary>What text formats stumble over.</summary>
    private static readonly string[] Common =
    [
        "null", "true", "false", "0", "-0", "-1", "1e400", "1E-400", "0.1", "00", "-", "+1", ".5", "1.", "9223372036854775807",
        "9223372036854775808", "-9223372036854775809", "4294967296",
        "2147483648", "99999999999999999999999999999999999999", "1e1000000000", "1e-1000000000", "NaN", "\"NaN\"", "\"Infinity\"",
        "\"-Infinity\"", "\"infinity\"", "\"\"", "\"\\u0000\"", "\"\\ud800\"",
        "\"\\ud83c\\udf55\"", "\\", "\\u", "\\x", "\"", "{", "}", "[", "]", "{}", "[]", "[[", ":", ",", ", ", "\n", "\t", "\r", " ", "\0",
        "\uFEFF", "\u2028", "é", "🍕", "//", "/* */", "#", "'", "%", "..", "../", "-0001",
        "\"2026-02-30\"", "\"2026-13-01T25:61:61Z\"", "\"2026-01-01T00:00:00.0000001Z\"", "\"24:00:00\"", "\"0001-01-01 BC\"", "\"AAAA\"",
        "\"A===\"",
    ];

    private static readonly char[] Borders = ['"', ',', ':', '{', '}', '[', ']', '\n', ' ', '=', '-', '.'];

    public byte[] Change(List<byte[]> kept)
    {
        var input = kept[random.Next(kept.Count)].ToList();
        for (var changes = 1 + random.Next(4); changes > 0; changes--) ChangeOnce(input, kept);
        if (input.Count > bytesMax) input.RemoveRange(bytesMax, input.Count - bytesMax);
        return [.. input];
    }

    private void ChangeOnce(List<byte> input, List<byte[]> kept)
    {
        var at = random.Next(input.Count + 1);
        switch (random.Next(11))
        {
            case 0: input.InsertRange(at, Word()); break;
            case 1: Replace(input, Piece(input), Word()); break;
            case 2: Replace(input, Piece(input), []); break;
            case 3: Replace(input, Piece(input), PieceOf(kept[random.Next(kept.Count)])); break;
            case 4: input.InsertRange(at, PieceOf([.. input])); break;
            case 5 when input.Count > 0: input[random.Next(input.Count)] ^= (byte)(1 << random.Next(8)); break;
            case 6 when input.Count > 0: input[random.Next(input.Count)] = (byte)random.Next(256); break;
            case 7: input.RemoveRange(at, Math.Min(random.Next(1, 16), input.Count - at)); break;
            case 8: input.RemoveRange(at, random.Next(8) == 0 ? input.Count - at : 0); break;
            case 9: input.InsertRange(at, Enumerable.Repeat(Word(), 1 << random.Next(10)).SelectMany(w => w).Take(bytesMax)); break;
            default: Swap(input); break;
        }
    }

    private byte[] Word()
    {
        var from = words.Count > 0 && random.Next(2) == 0 ? words : Common;
        return Encoding.UTF8.GetBytes(from[random.Next(from.Count)]);
    }

    /// <summary>What lies between two borders, which may hold others between them.</summary>
    private (int Start, int End) Piece(IReadOnlyList<byte> input)
    {
        var borders = new List<int> { 0 };
        for (var i = 0; i < input.Count; i++)
            if (Array.IndexOf(Borders, (char)input[i]) >= 0) borders.Add(i + random.Next(2));
        borders.Add(input.Count);
        var first = random.Next(borders.Count - 1);
        return (borders[first], borders[Math.Min(borders.Count - 1, first + 1 + random.Next(4))]);
    }

    private byte[] PieceOf(byte[] input)
    {
        var (start, end) = Piece(input);
        return end > start ? input[start..end] : [];
    }

    private static void Replace(List<byte> input, (int Start, int End) piece, byte[] by)
    {
        if (piece.End > piece.Start) input.RemoveRange(piece.Start, piece.End - piece.Start);
        input.InsertRange(piece.Start, by);
    }

    private void Swap(List<byte> input)
    {
        var (a, b) = (Piece(input), Piece(input));
        if (a.Start > b.Start) (a, b) = (b, a);
        if (a.End > b.Start || a.End < a.Start || b.End < b.Start) return;
        var (first, second) = (input[a.Start..a.End], input[b.Start..b.End]);
        Replace(input, b, [.. first]);
        Replace(input, a, [.. second]);
    }
}
