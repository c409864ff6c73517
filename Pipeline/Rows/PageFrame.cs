using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using OrdersStream.Diagnostics;

namespace OrdersStream.Rows;

/// <summary>What the first record of a page's part in one partition says of the page (topic format 2).</summary>
/// <param name="Page">Number of the page: grows by one for ever; one that is sent again keeps its number.</param>
/// <param name="Publisher">Incarnation of who sent it; its last record says the same.</param>
/// <param name="Records">Records of the page in this partition.</param>
/// <param name="Previous">Number of the page before it that has records in this partition; 0: none, or none is known.</param>
/// <param name="Partitions">Where the page has records.</param>
/// <param name="Of">Partitions that the topic had: by their number each row's is known.</param>
/// <param name="Before">The last row before the page in its window; null: it is the window's first page.</param>
/// <param name="IsNamed">Each record names its page: without transactions, others' records may stand between them.</param>
/// <param name="Fingerprint">Of the schema.</param>
/// <param name="IsRepair">Its rows were published before, or should have been: it is a page of no window.</param>
/// <param name="IsDeletes">Its records say that rows are gone: each has a key and no value.</param>
public sealed record PageStart(
    long Page, string Publisher, int Records, long Previous, IReadOnlyList<int> Partitions, int Of, Cursor? Before, bool IsNamed,
    string Fingerprint, bool IsRepair = false, bool IsDeletes = false)
{
    private byte[] Header { get; init; } = [];

    /// <summary>The schema of all rows of the page.</summary>
    /// <exception cref="FormatException">The frame holds none, or another than the one it names.</exception>
    public TableSchema ReadSchema()
    {
        using var document = JsonDocument.Parse(Header);
        var schema = document.RootElement.TryGetProperty("schema", out var element)
            ? TableSchema.FromElement(element)
            : throw new FormatException("the frame holds no schema");
        return schema.Fingerprint == Fingerprint
            ? schema
            : throw new FormatException($"the frame names schema {Fingerprint} and holds {schema.Fingerprint}");
    }

    /// <summary>Reads the header of a page's first record.</summary>
    /// <param name="header">Its bytes, which are kept.</param>
    /// <param name="stream">Whose topic it is.</param>
    /// <returns>Null: it is no frame of this stream, but somebody else's header.</returns>
    /// <exception cref="FormatException">It is of a later version.</exception>
    public static PageStart? Read(byte[] header, string stream) => PageFrame.Read(header, stream, root =>
    {
        var partitions = PageFrame.PartitionsOf(root.GetProperty("partitions").GetString()!);
        var start = new PageStart(
            root.GetProperty("page").GetInt64(), root.GetProperty("publisher").GetString()!, root.GetProperty("records").GetInt32(),
            root.GetProperty("previous").GetInt64(), partitions, root.GetProperty("of").GetInt32(), PageFrame.BeforeIn(root),
            root.GetProperty("named").GetBoolean(), root.GetProperty("fingerprint").GetString()!,
            root.TryGetProperty(PageFrame.Repair, out var repair) && repair.GetBoolean(),
            root.TryGetProperty(PageFrame.Deletes, out var deletes) && deletes.GetBoolean())
        {
            Header = header,
        };
        var isFingerprint = SchemaStore.IsFingerprint(Encoding.UTF8.GetBytes(start.Fingerprint));
        return isFingerprint && PageFence.IsNumber(start.Page) && start is { Records: > 0, Publisher.Length: > 0 } ? start : null;
    });
}

/// <summary>What the last record of a page's part in one partition says: all that was sent before it is there (topic format 2).</summary>
/// <param name="Page">Number of the page.</param>
/// <param name="Publisher">Incarnation of who sent it.</param>
/// <param name="Records">Records of the page in this partition.</param>
/// <param name="Partitions">Where the page has records.</param>
/// <param name="Of">Partitions that the topic had: by their number each row's is known.</param>
/// <param name="Before">The last row before the page in its window; null: it is the window's first page.</param>
/// <param name="IsNamed">Each record names its page.</param>
public sealed record PageEnd(
    long Page, string Publisher, int Records, IReadOnlyList<int> Partitions, int Of, Cursor? Before, bool IsNamed = false)
{
    /// <summary>Reads the header of a page's last record.</summary>
    /// <returns>Null: it is no frame of this stream, but somebody else's header.</returns>
    /// <exception cref="FormatException">It is of a later version.</exception>
    public static PageEnd? Read(byte[] header, string stream) => PageFrame.Read(header, stream, root =>
    {
        var end = new PageEnd(
            root.GetProperty("page").GetInt64(), root.GetProperty("publisher").GetString()!, root.GetProperty("records").GetInt32(),
            PageFrame.PartitionsOf(root.GetProperty("partitions").GetString()!), root.GetProperty("of").GetInt32(),
            PageFrame.BeforeIn(root), root.TryGetProperty("named", out var named) && named.GetBoolean());
        return PageFence.IsNumber(end.Page) && end is { Records: > 0, Publisher.Length: > 0 } ? end : null;
    });

    /// <summary>
    /// In topic format 1 the position alone ends a page. One that does not name the stream is another producer's header, whatever it holds.
    /// </summary>
    /// <param name="position">A position without a frame beside it.</param>
    /// <param name="stream">Whose topic it is.</param>
    public static bool IsOfFirstFormat(byte[] position, string stream)
    {
        try
        {
            using var document = JsonDocument.Parse(position);
            return document.RootElement.GetProperty("watermark").GetProperty("topic").GetProperty("topic").ValueEquals(stream);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            return false;
        }
    }
}

/// <summary>The page that a record between the first and the last of its part names.</summary>
/// <param name="Page">Its number.</param>
/// <param name="Publisher">Incarnation of who sent it.</param>
/// <param name="Stream">Whose page it is; null: an earlier version sent it, which did not say.</param>
public readonly record struct PageName(long Page, string Publisher, string? Stream);

/// <summary>The frames of one page that is about to be sent: JSON, in headers of its first and last record in each partition.</summary>
public sealed class PageFrame
{
    public const int Version = 2;

    /// <summary>
    /// Of a page of deletes: a program that knows none of them stops there, as at any later version, and does not take them for records
    /// that lack their values.
    /// </summary>
    public const int DeletesVersion = 3;

    /// <summary>The member that marks a repair: readers that do not know it pass it over.</summary>
    internal const string Repair = "repair";

    /// <summary>The member that marks deletes.</summary>
    internal const string Deletes = "deletes";

    private static readonly JsonWriterOptions Layout = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly string head;
    private readonly byte[] startTail;
    private readonly byte[] endTail;

    /// <param name="stream">The stream's name.</param>
    /// <param name="page">Number of the page.</param>
    /// <param name="publisher">Incarnation of the publisher: letters and digits.</param>
    /// <param name="partitions">Where the page has records, ascending.</param>
    /// <param name="of">Partitions of the topic.</param>
    /// <param name="before">The last row before it in its window; null: none.</param>
    /// <param name="isNamed">Each record names its page.</param>
    /// <param name="schema">Of all its rows.</param>
    /// <param name="isRepair">It is a page of no window.</param>
    /// <param name="isDeletes">Its records say that rows are gone.</param>
    public PageFrame(
        string stream, long page, string publisher, IReadOnlyList<int> partitions, int of, Cursor? before, bool isNamed,
        TableSchema schema, bool isRepair = false, bool isDeletes = false)
    {
        var version = isDeletes ? DeletesVersion : Version;
        head = string.Create(CultureInfo.InvariantCulture,
            $"{{\"version\":{version},\"stream\":{JsonSerializer.Serialize(stream, PageFrameJson.Default.String)},"
            + $"\"page\":{page},\"publisher\":\"{publisher}\",");
        endTail = Tail(partitions, of, before, json => json.WriteBoolean("named", isNamed));
        startTail = Tail(partitions, of, before, json =>
        {
            json.WriteBoolean("named", isNamed);
            if (isRepair) json.WriteBoolean(Repair, true);
            if (isDeletes) json.WriteBoolean(Deletes, true);
            json.WriteString("fingerprint", schema.Fingerprint);
            schema.WriteTo(json, "schema");
        });
        Name = Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{page}:{publisher}:{stream}"));
    }

    /// <summary>Names the page on a record of its own: between the first and the last, where each is named.</summary>
    public byte[] Name { get; }

    public byte[] Start(int records, long previous) =>
    [
        .. Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{head}\"records\":{records},\"previous\":{previous},")),
        .. startTail,
    ];

    public byte[] End(int records) =>
        [.. Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{head}\"records\":{records},")), .. endTail];

    /// <summary>Reads back <see cref="Name"/>; null: it is not one.</summary>
    public static PageName? ReadName(byte[]? header)
    {
        if (header is null || !Ascii.IsValid(header)) return null;
        var parts = Encoding.ASCII.GetString(header).Split(':', 3);
        return parts.Length > 1 && long.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var page)
            && PageFence.IsNumber(page)
            ? new(page, parts[1], parts.Length > 2 ? parts[2] : null)
            : null;
    }

    /// <summary>Whole numbers as ranges: <c>"0-3,7"</c>. A page has records in nearly every partition.</summary>
    internal static string RangesOf(IReadOnlyList<int> ascending)
    {
        var text = new StringBuilder();
        for (int i = 0, end; i < ascending.Count; i = end)
        {
            for (end = i + 1; end < ascending.Count && ascending[end] == ascending[end - 1] + 1; end++) { }
            if (i > 0) text.Append(',');
            text.Append(CultureInfo.InvariantCulture, $"{ascending[i]}");
            if (end - i > 1) text.Append(CultureInfo.InvariantCulture, $"-{ascending[end - 1]}");
        }
        return text.ToString();
    }

    internal static List<int> PartitionsOf(string ranges)
    {
        const int partitionsMax = 1_000_000;
        var all = new List<int>();
        foreach (var range in ranges.Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            var dash = range.IndexOf('-');
            var first = int.Parse(dash < 0 ? range : range[..dash], NumberStyles.None, CultureInfo.InvariantCulture);
            var last = dash < 0 ? first : int.Parse(range[(dash + 1)..], NumberStyles.None, CultureInfo.InvariantCulture);
            if (last < first || last - first > partitionsMax - all.Count) throw new FormatException("not a list of partitions");
            for (var p = first; p <= last; p++) all.Add(p);
        }
        return all;
    }

    internal static Cursor? BeforeIn(JsonElement frame) => frame.TryGetProperty("before", out var cursor)
        ? new(cursor.GetProperty("timestamp").GetString(), [.. cursor.GetProperty("key").EnumerateArray().Select(k => k.GetString()!)])
        : null;

    /// <summary>What a header holds; null where it is no frame of the stream.</summary>
    internal static T? Read<T>(byte[] header, string stream, Func<JsonElement, T?> read) where T : class
    {
        int version;
        try
        {
            using var document = JsonDocument.Parse(header);
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("stream", out var owner) || !owner.ValueEquals(stream))
                return null;
            version = root.GetProperty("version").GetInt32();
            if (version <= DeletesVersion) return read(root);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or OverflowException
            or FormatException)
        {
            return null;
        }
        throw new FormatException($"it is of format version {version}, and this program reads versions 1 to {DeletesVersion}");
    }

    /// <summary>What is to be done about a frame that is of a later version.</summary>
    public static PipelineException ToStop(FormatException unreadable, string topic, int partition, long offset) => new(FailureAction.Stop,
        $"The frame of the record at offset {offset} of topic '{topic}', partition {partition}, cannot be read: {unreadable.Message}.",
        "A later version of this program captures the table: run that version here, too.", unreadable);

    private static byte[] Tail(IReadOnlyList<int> partitions, int of, Cursor? before, Action<Utf8JsonWriter> rest)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, Layout))
        {
            json.WriteStartObject();
            json.WriteString("partitions", RangesOf(partitions));
            json.WriteNumber("of", of);
            if (before is not null) WriteBefore(json, before);
            rest(json);
            json.WriteEndObject();
        }
        return buffer.ToArray()[1..];
    }

    private static void WriteBefore(Utf8JsonWriter json, Cursor cursor)
    {
        json.WriteStartObject("before");
        json.WriteString("timestamp", cursor.Timestamp);
        json.WriteStartArray("key");
        foreach (var part in cursor.Key) json.WriteStringValue(part);
        json.WriteEndArray();
        json.WriteEndObject();
    }
}

[System.Text.Json.Serialization.JsonSerializable(typeof(string))]
internal sealed partial class PageFrameJson : System.Text.Json.Serialization.JsonSerializerContext;
