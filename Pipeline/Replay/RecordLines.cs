using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.Rows;

namespace OrdersStream.Replay;

/// <summary>What a line of a file with corrections says of one record; null: it stays as it was.</summary>
/// <param name="Place">Which record.</param>
/// <param name="Key">The key.</param>
/// <param name="Value">The value.</param>
/// <param name="Op">The operation.</param>
internal sealed record Correction(RecordPlace Place, byte[]? Key, byte[]? Value, string? Op);

/// <summary>
/// Records of quarantine as lines of JSON that people read and correct: key and value are texts where they are UTF-8. A file of such lines
/// is one with corrections.
/// </summary>
internal static class RecordLines
{
    private static readonly JsonWriterOptions Layout = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static string Of(QuarantinedRecord record)
    {
        var line = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(line, Layout))
        {
            json.WriteStartObject();
            json.WriteNumber("partition", record.Place.Partition);
            if (record.Place.Generation > 0) json.WriteNumber("generation", record.Place.Generation);
            json.WriteNumber("offset", record.Place.Offset);
            json.WriteString("time", TimeOf(record));
            json.WriteString("reason", record.Reason);
            json.WriteString("file", record.File);
            Write(json, "key", record.Key);
            Write(json, "value", record.Value);
            json.WriteStartArray("headers");
            foreach (var header in record.Headers)
            {
                json.WriteStartObject();
                json.WriteString("name", header.Name);
                Write(json, "value", header.Value);
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(line.WrittenSpan);
    }

    /// <summary>The same for a person who reads it on a terminal: control characters are shown and do nothing.</summary>
    public static IEnumerable<string> Paragraph(QuarantinedRecord record)
    {
        yield return $"{record.Place}, {TimeOf(record)}: {record.Reason}";
        yield return $"  file   {record.File}";
        yield return $"  key    {Shown(record.Key)}";
        yield return $"  value  {Shown(record.Value)}";
        foreach (var header in record.Headers) yield return $"  header {Shown(Encoding.UTF8.GetBytes(header.Name))}: {Shown(header.Value)}";
    }

    /// <exception cref="PipelineException">It cannot be read; the message names the line, and no value.</exception>
    public static IReadOnlyDictionary<RecordPlace, Correction> ReadFile(string path)
    {
        var corrections = new Dictionary<RecordPlace, Correction>();
        var number = 0;
        foreach (var line in File.ReadLines(path))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line)) continue;
            try
            {
                var correction = Read(line);
                if (!corrections.TryAdd(correction.Place, correction)) throw new FormatException($"{correction.Place} stands there twice");
            }
            catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
            {
                throw new PipelineException(FailureAction.Stop,
                    $"'{path}', line {number} is no record as 'quarantine show --json' prints it"
                    + (e is FormatException && e.Message.StartsWith("partition", StringComparison.Ordinal)
                        ? $": {e.Message}." : "."),
                    "Each line is one JSON object with partition and offset, and key or value (or key_base64, value_base64) as it is to "
                    + "be.");
            }
        }
        return corrections;
    }

    private static Correction Read(string line)
    {
        using var document = JsonDocument.Parse(line);
        var root = document.RootElement;
        var place = new RecordPlace(
            root.GetProperty("partition").GetInt32(), root.TryGetProperty("generation", out var generation) ? generation.GetInt32() : 0,
            root.GetProperty("offset").GetInt64());
        return new(place, Bytes(root, "key"), Bytes(root, "value"), root.TryGetProperty("op", out var op) ? op.GetString() : null);
    }

    private static byte[]? Bytes(JsonElement of, string member)
    {
        if (of.TryGetProperty(member + "_base64", out var coded)) return coded.GetBytesFromBase64();
        if (!of.TryGetProperty(member, out var given) || given.ValueKind == JsonValueKind.Null) return null;
        // Texts are what a record holds; an object is easier to write.
        return Encoding.UTF8.GetBytes(given.ValueKind == JsonValueKind.String ? given.GetString()! : given.GetRawText());
    }

    private static void Write(Utf8JsonWriter json, string name, byte[]? value)
    {
        if (value is null) json.WriteNull(name);
        else if (Utf8.IsValid(value)) json.WriteString(name, value);
        else json.WriteBase64String(name + "_base64", value);
    }

    private static string Shown(byte[]? value)
    {
        if (value is null) return "(none)";
        if (!Utf8.IsValid(value)) return $"base64 {Convert.ToBase64String(value)}";
        var text = new StringBuilder();
        foreach (var c in Encoding.UTF8.GetString(value))
            if (char.IsControl(c)) text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
            else text.Append(c);
        return text.ToString();
    }

    private static string TimeOf(QuarantinedRecord record) =>
        RecordTime.Of(record.TimestampMs)?.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture)
        ?? record.TimestampMs.ToString(CultureInfo.InvariantCulture);
}
