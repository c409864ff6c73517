using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using OrdersStream.Memory;

namespace OrdersStream.Rows;

/// <summary>
/// The JSON form of every value, in one place: capture, verification and replay write the same bytes for the same value.
/// Native values are as <see cref="Cell"/> describes them.
/// </summary>
public static partial class JsonText
{
    /// <summary>Only what JSON demands is escaped: the quote, the backslash and control characters. UTF-8 passes through.</summary>
    private static readonly SearchValues<byte> MustEscape =
        SearchValues.Create([.. Enumerable.Range(0, 0x20).Select(b => (byte)b), (byte)'"', (byte)'\\']);

    public static void Null(ByteBuffer buffer) => buffer.Append("null"u8);

    public static void Boolean(ByteBuffer buffer, bool value) => buffer.Append(value ? "true"u8 : "false"u8);

    public static void Integer(ByteBuffer buffer, long value)
    {
        Utf8Formatter.TryFormat(value, buffer.GetSpan(20), out var written);
        buffer.Advance(written);
    }

    /// <summary>The shortest number that reads back to the same real; NaN and the infinities as strings.</summary>
    public static void Real(ByteBuffer buffer, float value)
    {
        if (!float.IsFinite(value)) NonFinite(buffer, value);
        else
        {
            value.TryFormat(buffer.GetSpan(32), out var written, default, CultureInfo.InvariantCulture);
            buffer.Advance(written);
        }
    }

    /// <summary>The shortest number that reads back to the same double; NaN and the infinities as strings.</summary>
    public static void Double(ByteBuffer buffer, double value)
    {
        if (!double.IsFinite(value)) NonFinite(buffer, value);
        else
        {
            value.TryFormat(buffer.GetSpan(32), out var written, default, CultureInfo.InvariantCulture);
            buffer.Advance(written);
        }
    }

    /// <summary>A string of valid UTF-8.</summary>
    public static void String(ByteBuffer buffer, ReadOnlySpan<byte> utf8)
    {
        var clean = utf8.IndexOfAny(MustEscape);
        if (clean >= 0)
        {
            EscapedString(buffer, utf8, clean);
            return;
        }
        var span = buffer.GetSpan(utf8.Length + 2);
        span[0] = (byte)'"';
        utf8.CopyTo(span[1..]);
        span[utf8.Length + 1] = (byte)'"';
        buffer.Advance(utf8.Length + 2);
    }

    /// <summary>A uuid of 16 bytes in the order in which they are written.</summary>
    public static void Uuid(ByteBuffer buffer, ReadOnlySpan<byte> uuid)
    {
        var span = buffer.GetSpan(38);
        var at = 0;
        span[at++] = (byte)'"';
        for (var i = 0; i < 16; i++)
        {
            if (i is 4 or 6 or 8 or 10) span[at++] = (byte)'-';
            span[at++] = "0123456789abcdef"u8[uuid[i] >> 4];
            span[at++] = "0123456789abcdef"u8[uuid[i] & 15];
        }
        span[at++] = (byte)'"';
        buffer.Advance(at);
    }

    /// <summary>Bytes as a string of base64 with padding.</summary>
    public static void Base64String(ByteBuffer buffer, ReadOnlySpan<byte> bytes)
    {
        buffer.Append((byte)'"');
        Base64.EncodeToUtf8(bytes, buffer.GetSpan(Base64.GetMaxEncodedToUtf8Length(bytes.Length)), out _, out var written);
        buffer.Advance(written);
        buffer.Append((byte)'"');
    }

    private static void NonFinite(ByteBuffer buffer, double value) =>
        buffer.Append(double.IsNaN(value) ? "\"NaN\""u8 : value > 0 ? "\"Infinity\""u8 : "\"-Infinity\""u8);

    private static void EscapedString(ByteBuffer buffer, ReadOnlySpan<byte> utf8, int clean)
    {
        buffer.Append((byte)'"');
        while (clean >= 0)
        {
            buffer.Append(utf8[..clean]);
            Escape(buffer, utf8[clean]);
            utf8 = utf8[(clean + 1)..];
            clean = utf8.IndexOfAny(MustEscape);
        }
        buffer.Append(utf8);
        buffer.Append((byte)'"');
    }

    private static void Escape(ByteBuffer buffer, byte b)
    {
        buffer.Append(b switch
        {
            (byte)'"' => "\\\""u8,
            (byte)'\\' => "\\\\"u8,
            (byte)'\b' => "\\b"u8,
            (byte)'\f' => "\\f"u8,
            (byte)'\n' => "\\n"u8,
            (byte)'\r' => "\\r"u8,
            (byte)'\t' => "\\t"u8,
            _ => b < 16 ? "\\u000"u8 : "\\u001"u8,
        });
        if (b < 0x20 && b is not ((byte)'\b' or (byte)'\f' or (byte)'\n' or (byte)'\r' or (byte)'\t'))
            buffer.Append("0123456789abcdef"u8[b & 15]);
    }
}
