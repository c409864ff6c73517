using System.Buffers;
using System.Text;

namespace OrdersStream.Rows;

internal ref partial struct MessageParser
{
    private static readonly SearchValues<byte> EndsRun =
        SearchValues.Create([.. Enumerable.Range(0, 0x20).Select(b => (byte)b), (byte)'"', (byte)'\\']);

    /// <summary>A string's unescaped bytes, which the cell then points to.</summary>
    private ReadOnlySpan<byte> ReadString(ExpectedColumn column, ref Cell cell)
    {
        if (Next != '"') throw column.Unexpected();
        var fault = TryReadString(out var start, out var length);
        if (fault is not null) throw column.Wrong(fault);
        cell = new Cell { Start = start, Length = length };
        return row.Bytes.Written.Slice(start, length);
    }

    /// <returns>What is wrong with the string, or null.</returns>
    private string? TryReadString(out int start, out int length)
    {
        (start, length) = (0, 0);
        if (Next != '"') return "expected a string";
        var rest = json[(at + 1)..];
        var run = rest.IndexOfAny(EndsRun);
        if (run < 0) return "a string without an end";
        if (rest[run] == '"')
        {
            (start, length) = (at + 1, run);
            at += run + 2;
            return null;
        }
        start = row.Bytes.Length;
        var fault = TryUnescape(rest, run);
        length = row.Bytes.Length - start;
        return fault;
    }

    private string? TryUnescape(ReadOnlySpan<byte> rest, int run)
    {
        while (true)
        {
            if (run < 0) return "a string without an end";
            row.Bytes.Append(rest[..run]);
            var b = rest[run];
            rest = rest[(run + 1)..];
            if (b == '"') break;
            if (b != '\\') return "a string with a control character that is not escaped";
            if (TryTakeEscape(ref rest) is { } fault) return fault;
            run = rest.IndexOfAny(EndsRun);
        }
        at = json.Length - rest.Length;
        return null;
    }

    /// <summary>Takes what follows a backslash.</summary>
    private readonly string? TryTakeEscape(ref ReadOnlySpan<byte> rest)
    {
        if (rest.Length == 0) return "a string without an end";
        var b = rest[0];
        if (b == 'u') return TryTakeUnicode(ref rest);
        var unescaped = b switch
        {
            (byte)'"' or (byte)'\\' or (byte)'/' => b,
            (byte)'b' => (byte)'\b',
            (byte)'f' => (byte)'\f',
            (byte)'n' => (byte)'\n',
            (byte)'r' => (byte)'\r',
            (byte)'t' => (byte)'\t',
            _ => (byte)0,
        };
        if (unescaped == 0) return "a string with an escape that JSON does not have";
        row.Bytes.Append(unescaped);
        rest = rest[1..];
        return null;
    }

    private readonly string? TryTakeUnicode(ref ReadOnlySpan<byte> rest)
    {
        const string broken = "a string with an escape that JSON does not have", unpaired = "a string with half a surrogate pair";
        if (!TryTakeHex(ref rest, out var unit)) return broken;
        if (!Rune.TryCreate(unit, out var rune))
        {
            if (!char.IsHighSurrogate(unit) || rest.Length == 0 || rest[0] != '\\') return unpaired;
            rest = rest[1..];
            if (!TryTakeHex(ref rest, out var low) || !Rune.TryCreate(unit, low, out rune)) return unpaired;
        }
        var written = rune.EncodeToUtf8(row.Bytes.GetSpan(4));
        row.Bytes.Advance(written);
        return null;
    }

    /// <summary>u and four hexadecimal digits.</summary>
    private static bool TryTakeHex(ref ReadOnlySpan<byte> rest, out char unit)
    {
        unit = default;
        if (rest.Length < 5 || rest[0] != 'u') return false;
        var value = 0;
        foreach (var b in rest[1..5])
        {
            if (!char.IsAsciiHexDigit((char)b)) return false;
            value = value * 16 + (b <= '9' ? b - '0' : (b | 0x20) - 'a' + 10);
        }
        unit = (char)value;
        rest = rest[5..];
        return true;
    }
}
