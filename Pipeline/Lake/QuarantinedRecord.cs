using System.Text.Json;
using OrdersStream.Kafka;
using OrdersStream.Lake.Files;
using OrdersStream.Rows;

namespace OrdersStream.Lake;

/// <summary>A record in quarantine, as its line has it.</summary>
/// <param name="File">Path of the line's file in the lake.</param>
/// <param name="Topic">Whose it is; empty: the line cannot be read.</param>
/// <param name="Place">Which record.</param>
/// <param name="TimestampMs">Kafka's timestamp, Unix milliseconds.</param>
/// <param name="Reason">Why it is no row.</param>
/// <param name="Version">The row's <c>_version</c>, had it been one; 0, older than any page: an earlier version wrote the line.</param>
/// <param name="Fingerprint">Of the schema that was in force; null: it is not known.</param>
/// <param name="Key">Null: it has none.</param>
/// <param name="Value">Null: it has none.</param>
/// <param name="Headers">As they came.</param>
internal sealed record QuarantinedRecord(
    string File, string Topic, RecordPlace Place, long TimestampMs, string Reason, long Version, string? Fingerprint, byte[]? Key,
    byte[]? Value, IReadOnlyList<StreamHeader> Headers)
{
    private const string Unreadable = "(a line that cannot be read)";

    /// <summary>
    /// Those of a topic that wait in a lake, in the order in which they came to each partition: what came again is left out. One at a time
    /// (invariant 7).
    /// </summary>
    public static IEnumerable<QuarantinedRecord> Waiting(ILakeFiles lake, string topic, HashSet<RecordPlace> replayed)
    {
        var files = new List<(LakeFileName Name, string Path)>();
        foreach (var path in lake.List(LakePath.QuarantineFolder))
            if (LakePath.TryParse(path, out var name) && name.Kind == LakeFileKind.Quarantine) files.Add((name, path));
        foreach (var (name, path) in files.OrderBy(f => (f.Name.Partition, f.Name.Generation, f.Name.FirstOffset)))
            foreach (var record in QuarantineLines.ReadIn(lake, path, name))
                if ((record.Topic == topic || record.Topic.Length == 0) && !replayed.Contains(record.Place)) yield return record;
    }

    public static QuarantinedRecord FromLine(string line, string path, LakeFileName name)
    {
        try
        {
            using var document = JsonDocument.Parse(line);
            var root = document.RootElement;
            return new(
                path, Text(root, "topic") ?? "", new(name.Partition, name.Generation, Number(root, "offset", -1)),
                Number(root, "timestamp_ms", 0), root.GetProperty("reason").GetString()!, Number(root, "version", 0), Text(root, "schema"),
                Bytes(root, "key_base64"), Bytes(root, "value_base64"), HeadersIn(root));
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            return new(path, "", new(name.Partition, name.Generation, -1), 0, Unreadable, 0, null, null, null, []);
        }
    }

    private static StreamHeader[] HeadersIn(JsonElement of) => !of.TryGetProperty("headers", out var headers) ? [] :
        [.. headers.EnumerateArray().Select(h => new StreamHeader(h.GetProperty("name").GetString()!, Bytes(h, "value_base64")))];

    private static string? Text(JsonElement of, string member) =>
        of.TryGetProperty(member, out var text) && text.ValueKind == JsonValueKind.String ? text.GetString() : null;

    private static long Number(JsonElement of, string member, long otherwise) =>
        of.TryGetProperty(member, out var number) ? number.GetInt64() : otherwise;

    private static byte[]? Bytes(JsonElement of, string member) =>
        of.TryGetProperty(member, out var text) && text.ValueKind == JsonValueKind.String ? text.GetBytesFromBase64() : null;
}
