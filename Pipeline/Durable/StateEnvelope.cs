using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace OrdersStream.Durable;

/// <summary>
/// The one envelope of every state file: JSON for people to read, its format version first, then the stream that it belongs
/// to (invariant 6), and last a checksum of all that stands before it, so that a torn or altered file is noticed and never
/// followed. Files that earlier versions of the program wrote have no owner, and some have no checksum: they are read on.
/// </summary>
internal static class StateEnvelope
{
    private const string NotWhole = "it is not a whole state file";

    private static ReadOnlySpan<byte> ObjectEnd => "\n}"u8;
    private static ReadOnlySpan<byte> ChecksumStart => ",\n  \"checksum\": \""u8;
    private static ReadOnlySpan<byte> ChecksumEnd => "\"\n}\n"u8;

    private static readonly JsonWriterOptions Layout = new()
    {
        Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <param name="version">Of the format of what is inside.</param>
    /// <param name="owner">Name of the stream.</param>
    /// <param name="writeMembers">Writes what is inside, as members of the object that is open.</param>
    public static byte[] Seal(int version, string owner, Action<Utf8JsonWriter> writeMembers)
    {
        var file = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(file, Layout))
        {
            json.WriteStartObject();
            json.WriteNumber("version", version);
            json.WriteString("owner", owner);
            writeMembers(json);
            json.WriteEndObject();
        }
        var content = file.WrittenSpan[..^ObjectEnd.Length];
        return [.. content, .. ChecksumStart, .. Checksum(content), .. ChecksumEnd];
    }

    /// <summary>What is inside, once envelope and content are found to agree.</summary>
    /// <param name="file">All of the file.</param>
    /// <param name="newest">The newest format version that this program reads; it reads those before it, too.</param>
    /// <param name="owner">The stream that it must belong to; null: the caller finds out by what is inside.</param>
    /// <param name="isSealed">True where every version of the program wrote a checksum.</param>
    /// <exception cref="FormatException">Torn, altered, of a later version, or another stream's; the message says which.</exception>
    public static JsonDocument Open(ReadOnlySpan<byte> file, int newest, string? owner = null, bool isSealed = false)
    {
        var document = Parse(file);
        try
        {
            var root = document.RootElement;
            // First: of a later version, nothing else is known.
            if (!root.GetProperty("version").TryGetInt32(out var found)) throw new FormatException(NotWhole);
            if (found < 1 || found > newest)
                throw new FormatException($"it is of format version {found}, and this program reads {Known(newest)}");
            // Whoever wrote an owner wrote a checksum: without one it was altered.
            var hasOwner = root.TryGetProperty("owner", out var known);
            CheckSeal(file, isSealed || hasOwner || root.TryGetProperty("checksum", out _));
            if (owner is not null && hasOwner && !known.ValueEquals(owner))
                throw new FormatException($"it belongs to the stream '{known}', and this is '{owner}'");
            return document;
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException)
        {
            document.Dispose();
            throw new FormatException(NotWhole, e);
        }
        catch
        {
            document.Dispose();
            throw;
        }
    }

    private static string Known(int newest) => newest == 1 ? "version 1" : $"versions 1 to {newest}";

    private static JsonDocument Parse(ReadOnlySpan<byte> file)
    {
        try
        {
            // An editor's preamble: in a file without a checksum it was always passed over.
            return JsonDocument.Parse((file.StartsWith(Encoding.UTF8.Preamble) ? file[Encoding.UTF8.Preamble.Length..] : file).ToArray());
        }
        catch (JsonException e)
        {
            throw new FormatException("it is not whole JSON", e);
        }
    }

    private static void CheckSeal(ReadOnlySpan<byte> file, bool isSealed)
    {
        if (!isSealed) return;
        var end = file.LastIndexOf(ChecksumStart);
        if (end < 0 || !file[(end + ChecksumStart.Length)..].SequenceEqual([.. Checksum(file[..end]), .. ChecksumEnd]))
            throw new FormatException("its content does not match its checksum");
    }

    private static byte[] Checksum(ReadOnlySpan<byte> content) =>
        Encoding.ASCII.GetBytes(Convert.ToHexStringLower(SHA256.HashData(content))[..16]);
}
