using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace OrdersStream.Lake;

/// <summary>
/// A commit log entry as a file: JSON for people to read, its format version first, and last a checksum of all that
/// stands before it, so that a torn or altered entry is noticed and never followed.
/// </summary>
internal static class CommitEntryFormat
{
    public const int Version = 1;

    private const string ChecksumStart = ",\n  \"checksum\": \"";
    private const string ChecksumEnd = "\"\n}\n";

    private static readonly CommitEntryJson Json = new(new JsonSerializerOptions
    {
        WriteIndented = true,
        NewLine = "\n",
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
    });

    public static byte[] Write(CommitEntry entry)
    {
        var json = JsonSerializer.Serialize(new VersionedEntry(Version, entry), Json.VersionedEntry);
        var content = json[..^"\n}".Length];
        return Encoding.UTF8.GetBytes(content + ChecksumStart + Checksum(content) + ChecksumEnd);
    }

    /// <exception cref="FormatException">Torn, altered, or of a later version; the message says which.</exception>
    public static CommitEntry Read(ReadOnlySpan<byte> file)
    {
        var text = Encoding.UTF8.GetString(file);
        try
        {
            if (VersionOf(text) is var version and not Version)
                throw new FormatException($"it is of format version {version}, and this program reads version {Version}");
            var end = text.LastIndexOf(ChecksumStart, StringComparison.Ordinal);
            if (end < 0 || text[(end + ChecksumStart.Length)..] != Checksum(text[..end]) + ChecksumEnd)
                throw new FormatException("its content does not match its checksum");
            return JsonSerializer.Deserialize(text[..end] + "\n}", Json.VersionedEntry)!.Entry;
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new FormatException("it is not a whole commit log entry", e);
        }
    }

    private static int VersionOf(string text)
    {
        using var document = JsonDocument.Parse(text);
        return document.RootElement.GetProperty("version").GetInt32();
    }

    private static string Checksum(string content) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(content)))[..16];
}

internal sealed record VersionedEntry(int Version, CommitEntry Entry);

[JsonSerializable(typeof(VersionedEntry))]
internal sealed partial class CommitEntryJson : JsonSerializerContext;
