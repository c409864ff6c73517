using System.Text.Json;
using OrdersStream.Capture;
using OrdersStream.Kafka;
using OrdersStream.Rows;

namespace OrdersStream.UnitTests.Store;

/// <summary>
/// A lake, its commit log, watermark and schemas byte by byte as the program of topic format 1 left them, and all that its topic held:
/// three pages, a record of another producer, a column that was added. The third page is not stored yet: the upgrade came before.
/// </summary>
internal sealed class EarlierLake : IDisposable
{
    public const int Rows = 12;
    public const long KeyThatMoves = 4;
    private const int NewPartition = 3;

    private static readonly string Folder = Path.Combine(AppContext.BaseDirectory, "Store", "Earlier");

    private readonly TableSchema newest;

    public EarlierLake()
    {
        TestLake.CopyFolder(Path.Combine(Folder, "lake"), Lake.Root);
        TestLake.CopyFolder(Path.Combine(Folder, "checkpoint"), Lake.Checkpoint);
        Schemas = new SchemaStore(Lake.Checkpoint);
        Watermark = Watermark.FromJson(File.ReadAllBytes(Path.Combine(Folder, "watermark.json")));
        Lake.Topic.Identity = Watermark.Topic;
        foreach (var record in Records())
            Lake.Topic.Add(record, markerFollows: record.Headers?.Any(h => h.Name == StreamHeader.Position) == true);
        newest = Schemas.Read("f0b0b822a20fca39");
        Table = new TableSchema(newest.Columns, newest.KeyColumns, newest.TimestampColumn);
    }

    public TestLake Lake { get; } = new();
    public SchemaStore Schemas { get; }
    public Watermark Watermark { get; }

    /// <summary>The table as the present program finds it.</summary>
    public TableSchema Table { get; }

    /// <summary>
    /// A last page of format 1, then two of format 2. The topic got a partition more, and a key that was in another goes there, at smaller
    /// offsets.
    /// </summary>
    public void SendPages()
    {
        Lake.Topic.Page(1, 3, newest, i => Row(6, $"update {i}"));
        Framed(0, 1, 1, "first page");
        Framed(2, 1, 2, "first page");
        Framed(NewPartition, 1, KeyThatMoves, "moved");
        Framed(0, 2, 1, "second page");
        Framed(NewPartition, 2, KeyThatMoves, "moved again");
    }

    /// <summary>By the lake's own commit log.</summary>
    public static bool HasStored(StreamRecord record) => record.Offset < record.Partition switch { 0 or 1 => 6, 2 => 4, _ => 0 };

    public void Dispose() => Lake.Dispose();

    private void Framed(int partition, long page, long id, string status) =>
        Lake.Topic.Framed(partition, page, [id], previous: partition == 2 ? 0 : page - 1, schema: Table, value: i => Row(i, status));

    private static string Row(long id, string status) =>
        $$"""{"order_id":{{id}},"status":"{{status}}","amount":1.00,"created_at":"2026-03-02T08:00:00.000000Z","""
        + """ "updated_at":"2026-11-30T00:00:00.000000Z","note":null}""";

    private static IEnumerable<StreamRecord> Records() =>
        from line in File.ReadLines(Path.Combine(Folder, "topic.jsonl"))
        let r = JsonElement.Parse(line)
        select new StreamRecord(
            r.GetProperty("partition").GetInt32(), r.GetProperty("offset").GetInt64(), r.GetProperty("key").GetBytesFromBase64(),
            r.GetProperty("value").GetBytesFromBase64(), r.GetProperty("timestamp").GetInt64(), HeadersOf(r));

    private static StreamHeader[]? HeadersOf(JsonElement record) =>
        record.GetProperty("headers").EnumerateArray()
            .Select(h => new StreamHeader(h.GetProperty("name").GetString()!, h.GetProperty("value").GetBytesFromBase64()))
            .ToArray() is { Length: > 0 } headers ? headers : null;
}
