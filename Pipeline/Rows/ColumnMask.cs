using System.Security.Cryptography;
using System.Text;
using OrdersStream.Memory;

namespace OrdersStream.Rows;

/// <summary>
/// A keyed hash (HMAC-SHA256, in hexadecimal digits) in the place of a column's values: equal values stay equal, and without the key
/// nobody can find a value by hashing all that it could be. It is made here, so that neither the key nor a value is ever in a statement.
/// </summary>
/// <param name="key">The key, any text.</param>
public sealed class ColumnMask(string key)
{
    private readonly byte[] key = Encoding.UTF8.GetBytes(key);

    /// <summary>Tells one key from another, and nothing of it: part of the column's type, since values by another key are others.</summary>
    public string Name => Convert.ToHexStringLower(HMACSHA256.HashData(key, "orders-stream"u8))[..8];

    /// <summary>The hash of a value as a JSON string.</summary>
    /// <param name="buffer">Takes it.</param>
    /// <param name="text">The value as Postgres prints it, UTF-8.</param>
    public void Write(ByteBuffer buffer, ReadOnlySpan<byte> text)
    {
        Span<byte> hash = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(key, text, hash);
        Span<byte> digits = stackalloc byte[2 * HMACSHA256.HashSizeInBytes];
        Convert.TryToHexStringLower(hash, digits, out _);
        JsonText.String(buffer, digits);
    }
}
