using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Kafka;
using OrdersStream.Memory;
using OrdersStream.Rows;

namespace OrdersStream.Capture;

/// <summary>
/// What becomes of a row that no record can carry: capture stops, or the row is left out of its page and kept in a file beside the
/// watermark file, so that it does not stop all others. The file is durable before the page is published, and so before any position moves
/// past the row (invariant 5); a page that is read again names it the same, so each version is kept once.
/// </summary>
/// <param name="options">The stream's configuration.</param>
/// <param name="limit">How large a record may be.</param>
/// <param name="crashPoints">Those of the process.</param>
/// <param name="metrics">The stream's.</param>
/// <param name="logger">Of its lines.</param>
/// <param name="headersOf">
/// What comes at most with a record, by the table's columns and the bytes of its key; null: the brokers refused none.
/// </param>
internal sealed class TooLargeRows(
    PipelineOptions options, RecordLimit limit, CrashPoints crashPoints, PipelineMetrics metrics, ILogger logger,
    Func<TableSchema, int, long>? headersOf = null)
{
    private const string Extension = ".jsonl";

    /// <summary>Where such rows are kept.</summary>
    public static string FolderOf(StreamingOptions streaming) => Path.Combine(streaming.LastProcessedTimestampLocation, "too_large");

    /// <summary>Row versions that are kept there.</summary>
    public static int CountIn(StreamingOptions streaming) => FolderOf(streaming) is var folder && Directory.Exists(folder)
        ? Directory.EnumerateFiles(folder, "*" + Extension).Count(file => !Path.GetFileName(file).StartsWith('.')) : 0;

    /// <returns>True: it is no part of the page, and kept.</returns>
    /// <exception cref="PipelineException">It is too large, and capture is to stop.</exception>
    public bool LeavesOut(TableSchema schema, ByteBuffer key, ByteBuffer value)
    {
        var size = RecordLimit.SizeOf(key.Written, value.Written);
        // Of a row that is far from it the headers are not made.
        if (headersOf is not null && size > limit.Bytes / 2)
            size = RecordLimit.SizeOf(key.Written, value.Written, headersOf(schema, key.Length));
        if (size <= limit.Bytes) return false;
        if (options.Postgres.TooLarge != "quarantine") throw TooLarge(schema, size);
        Keep(schema, key.Written, value.Written, size);
        return true;
    }

    private string Table => $"{options.Postgres.Schema}.{options.Postgres.Table}";

    private PipelineException TooLarge(TableSchema schema, long size)
    {
        var columns = string.Join(", ", schema.KeyColumns.Select(k => $"\"{schema.Columns[k].Name}\""));
        var sizes = string.Create(CultureInfo.InvariantCulture, $"{size:N0} bytes, and the limit is {limit.Bytes:N0}");
        return new(FailureAction.Stop,
            $"A row of {Table} (its key: {columns}) is too large for a record of topic '{options.Kafka.Topic}': {sizes}.",
            limit.RemedyFor(size, options.Kafka));
    }

    private void Keep(TableSchema schema, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, long size)
    {
        // No value in the name (invariant 9), and no other version's.
        var name = $"{Digest(key)}-{Digest(value)}{Extension}";
        var path = Path.Combine(FolderOf(options.Streaming), name);
        var step = crashPoints.Before(CrashPoint.LargeRowKept);
        if (File.Exists(path))
        {
            // Whoever wrote it may have died before its name was durable.
            DurableFile.SyncDirectory(FolderOf(options.Streaming), step);
            return;
        }
        var reason = string.Create(CultureInfo.InvariantCulture, $"{size} bytes are more than a record may have: {limit.Bytes}");
        if (!DurableFile.TryCreateExclusive(path, Line(schema, reason, key, value), step)) return;
        metrics.RowLeftOut();
        logger.RowLeftOut(Table, size, limit.Bytes, path);
    }

    // The row as its record would have it. As JSON and not as the bytes of it: a writer of JSON refuses text of this size.
    private byte[] Line(TableSchema schema, string reason, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        var head = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(head))
        {
            json.WriteStartObject();
            json.WriteString("topic", options.Kafka.Topic);
            json.WriteString("table", Table);
            json.WriteString("schema", schema.Fingerprint);
            json.WriteString("reason", reason);
            json.WriteBase64String("key_base64", key);
            json.Flush();
        }
        return [.. head.WrittenSpan, .. ",\"value\":"u8, .. value, .. "}\n"u8];
    }

    private static string Digest(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes))[..16];
}
