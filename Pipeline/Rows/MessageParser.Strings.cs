using System.Buffers;
using System.Text.Json;

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
        var fault = TryUnescapeShort(rest, run) ? null : UnescapeAny();
        length = row.Bytes.Length - start;
        return fault;
    }

    /// <summary>
    /// A string whose escapes are of one character: nearly all that have any (each jsonb is one), and here they cost a fifth less
    /// than in the JSON reader. False (and nothing read) for any other string.
    /// </summary>
    private bool TryUnescapeShort(ReadOnlySpan<byte> rest, int run)
    {
        var start = row.Bytes.Length;
        while (run >= 0)
        {
            row.Bytes.Append(rest[..run]);
            var end = rest[run];
            rest = rest[(run + 1)..];
            if (end == '"')
            {
                at = json.Length - rest.Length;
                return true;
            }
            if (end != '\\' || rest.Length == 0 || Unescaped(rest[0]) is not { } unescaped) break;
            row.Bytes.Append(unescaped);
            rest = rest[1..];
            run = rest.IndexOfAny(EndsRun);
        }
        row.Bytes.Truncate(start);
        return false;
    }

    private static byte? Unescaped(byte escape) => escape switch
    {
        (byte)'"' or (byte)'\\' or (byte)'/' => escape,
        (byte)'b' => (byte)'\b',
        (byte)'f' => (byte)'\f',
        (byte)'n' => (byte)'\n',
        (byte)'r' => (byte)'\r',
        (byte)'t' => (byte)'\t',
        _ => null,
    };

    /// <summary>Any string. What the reader says of a broken one is not repeated: it shows what stands there.</summary>
    /// <returns>What is wrong with the string, or null.</returns>
    private string? UnescapeAny()
    {
        try
        {
            var reader = new Utf8JsonReader(json[at..]);
            reader.Read();
            row.Bytes.Advance(reader.CopyString(row.Bytes.GetSpan(reader.ValueSpan.Length)));
            at += (int)reader.BytesConsumed;
            return null;
        }
        catch (JsonException)
        {
            return "a string that has no end, a control character that is not escaped, or an escape that JSON does not have";
        }
        catch (InvalidOperationException)
        {
            return "a string with half a surrogate pair";
        }
    }
}
