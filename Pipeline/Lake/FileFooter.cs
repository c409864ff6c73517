using System.Globalization;
using OrdersStream.Kafka;

namespace OrdersStream.Lake;

/// <summary>
/// What a data file says about itself in its key-value metadata: enough to rebuild a lost commit log from the files, and to
/// refuse a file of another topic (invariant 6).
/// </summary>
/// <param name="Topic">The topic whose records these are.</param>
/// <param name="Partition">Its partition.</param>
/// <param name="FirstOffset">Offset of the first row.</param>
/// <param name="LastOffset">Offset of the last row; offsets between them may lie in quarantine or be transaction markers.</param>
/// <param name="Rows">Rows.</param>
/// <param name="SchemaFingerprint">The schema of all rows.</param>
/// <param name="LastPage">The greatest <c>_version</c> of a row; null: a file of the first format, which has no such column.</param>
public sealed record FileFooter(
    TopicIdentity Topic, int Partition, long FirstOffset, long LastOffset, long Rows, string SchemaFingerprint, long? LastPage)
{
    private const string Prefix = "orders_stream.";
    private const int FormatVersion = 2;

    /// <summary>As key-value pairs; ids that no broker gave are left out.</summary>
    public IReadOnlyDictionary<string, string> ToMetadata()
    {
        var metadata = new Dictionary<string, string>
        {
            [Prefix + "format_version"] = Text(LastPage is null ? 1 : FormatVersion),
            [Prefix + "topic"] = Topic.Topic,
            [Prefix + "partition"] = Text(Partition),
            [Prefix + "first_offset"] = Text(FirstOffset),
            [Prefix + "last_offset"] = Text(LastOffset),
            [Prefix + "rows"] = Text(Rows),
            [Prefix + "schema_fingerprint"] = SchemaFingerprint,
        };
        if (Topic.ClusterId.Length > 0) metadata[Prefix + "cluster_id"] = Topic.ClusterId;
        if (LastPage is { } page) metadata[Prefix + "last_page"] = Text(page);
        if (Topic.TopicId is { } id) metadata[Prefix + "topic_id"] = id;
        return metadata;
    }

    /// <summary>Reads what <see cref="ToMetadata"/> wrote; keys of others are ignored.</summary>
    /// <exception cref="FormatException">A key is missing or its value makes no sense; the message names it.</exception>
    public static FileFooter FromMetadata(IReadOnlyDictionary<string, string> metadata)
    {
        var version = Number(metadata, "format_version");
        if (version is not (1 or FormatVersion))
            throw new FormatException(
                $"Footer key '{Prefix}format_version' is {version}; this program reads versions 1 to {FormatVersion}.");
        var topic = new TopicIdentity(
            metadata.GetValueOrDefault(Prefix + "cluster_id", ""), Value(metadata, "topic"),
            metadata.GetValueOrDefault(Prefix + "topic_id"));
        var footer = new FileFooter(
            topic, (int)Number(metadata, "partition", int.MaxValue), Number(metadata, "first_offset"), Number(metadata, "last_offset"),
            Number(metadata, "rows"), Value(metadata, "schema_fingerprint"),
            version == 1 ? null : Number(metadata, "last_page"));
        if (footer.LastOffset < footer.FirstOffset)
            throw new FormatException(
                $"Footer key '{Prefix}last_offset' is {footer.LastOffset}, below the first offset {footer.FirstOffset}.");
        if (footer.Rows == 0 || footer.Rows - 1 > footer.LastOffset - footer.FirstOffset)
            throw new FormatException(
                $"Footer key '{Prefix}rows' is {footer.Rows}, which offsets {footer.FirstOffset} to {footer.LastOffset} cannot hold.");
        return footer;
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Value(IReadOnlyDictionary<string, string> metadata, string key) =>
        metadata.TryGetValue(Prefix + key, out var value) && !string.IsNullOrEmpty(value)
            ? value
            : throw new FormatException(
                $"Footer key '{Prefix}{key}' is missing: the file was not written by this program, or by another version of it.");

    private static long Number(IReadOnlyDictionary<string, string> metadata, string key, long max = long.MaxValue)
    {
        var text = Value(metadata, key);
        return long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= max
            ? number
            : throw new FormatException($"Footer key '{Prefix}{key}' is '{text}'; it should be a whole number from 0 to {max}.");
    }
}
