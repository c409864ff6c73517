using System.Buffers;
using System.Text.Json;
using OrdersStream.Kafka;
using OrdersStream.Lake.Files;

namespace OrdersStream.Lake;

/// <summary>
/// Records that are no rows, as lines of JSON that hold all that was received, so that they can be read and
/// replayed. The reason says what was expected, never what was found (invariant 9); the raw bytes stay in the file.
/// </summary>
internal sealed class QuarantineLines(string topic)
{
    private const string Topic = "topic", Reason = "reason";

    private readonly ArrayBufferWriter<byte> lines = new();

    public int Records { get; private set; }
    public long Bytes => lines.WrittenCount;
    public long FirstOffset { get; private set; }
    public long LastOffset { get; private set; }

    /// <summary>Why the first of them is here: for the log.</summary>
    public string FirstReason { get; private set; } = "";

    public ReadOnlyMemory<byte> Written => lines.WrittenMemory;

    /// <param name="record">What was received.</param>
    /// <param name="reason">Why it is no row.</param>
    /// <param name="version">That of the row, had it been one.</param>
    /// <param name="fingerprint">Of the schema that was in force; null: none was.</param>
    public void Add(in StreamRecord record, string reason, long version, string? fingerprint)
    {
        using (var json = new Utf8JsonWriter(lines))
        {
            json.WriteStartObject();
            json.WriteString(Topic, topic);
            json.WriteNumber("partition", record.Partition);
            json.WriteNumber("offset", record.Offset);
            json.WriteNumber("timestamp_ms", record.TimestampMs);
            json.WriteString(Reason, reason);
            json.WriteNumber("version", version);
            json.WriteString("schema", fingerprint);
            WriteBytes(json, "key_base64", record.Key);
            WriteBytes(json, "value_base64", record.Value);
            json.WriteStartArray("headers");
            foreach (var header in record.Headers ?? [])
            {
                json.WriteStartObject();
                json.WriteString("name", header.Name);
                WriteBytes(json, "value_base64", header.Value);
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteEndObject();
        }
        lines.Write("\n"u8);
        if (Records++ == 0) (FirstOffset, FirstReason) = (record.Offset, reason);
        LastOffset = record.Offset;
    }

    public void Clear()
    {
        lines.ResetWrittenCount();
        Records = 0;
    }

    /// <summary>The records of a file, in their order.</summary>
    public static IEnumerable<QuarantinedRecord> ReadIn(ILakeFiles lake, string path, LakeFileName name) =>
        Lines(lake, path).Select(line => QuarantinedRecord.FromLine(line, path, name));

    /// <summary>Whose records a file holds: one writer wrote it, so its first line tells. Null: it cannot be read.</summary>
    public static string? TopicIn(ILakeFiles lake, string path) =>
        Lines(lake, path).FirstOrDefault() is { } line ? MemberOf(line, Topic) : null;

    private static IEnumerable<string> Lines(ILakeFiles lake, string path)
    {
        using var reader = new StreamReader(lake.OpenRead(path));
        while (reader.ReadLine() is { } line) yield return line;
    }

    private static string? MemberOf(string line, string name)
    {
        try
        {
            using var record = JsonDocument.Parse(line);
            return record.RootElement.GetProperty(name).GetString() ?? "";
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            return null;
        }
    }

    private static void WriteBytes(Utf8JsonWriter json, string name, byte[]? value)
    {
        if (value is null) json.WriteNull(name);
        else json.WriteBase64String(name, value);
    }
}
