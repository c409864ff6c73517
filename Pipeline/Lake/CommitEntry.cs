using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using OrdersStream.Durable;
using OrdersStream.Kafka;

namespace OrdersStream.Lake;

/// <summary>One committed file. Paths are relative to the lake's folder, with '/'.</summary>
/// <param name="Path">The final path.</param>
/// <param name="TemporaryPath">Where the writer left it, until it is renamed.</param>
/// <param name="Rows">Rows, or quarantined records.</param>
/// <param name="FirstOffset">Offset of its first record.</param>
/// <param name="LastOffset">Offset of its last record.</param>
/// <param name="Bytes">Size on disk.</param>
public sealed record CommittedFile(string Path, string TemporaryPath, long Rows, long FirstOffset, long LastOffset, long Bytes);

/// <summary>Where storing one partition stands: all that the next batch needs to know of those before it.</summary>
/// <param name="NextOffset">Every record below it is in the lake.</param>
/// <param name="Fingerprint">The schema in force at the end; null while no record had one.</param>
/// <param name="FingerprintAssumed">The schema was the table's present one and not named by a header.</param>
/// <param name="PageEnded">The last record ended a page that was a transaction: its marker follows.</param>
/// <param name="Rows">Rows stored so far.</param>
/// <param name="Quarantined">Records quarantined so far.</param>
/// <param name="Files">Parquet files written so far.</param>
/// <param name="Dropped">Records of repeated and unfinished pages so far, which do not count.</param>
/// <param name="Generation">How often the partition lost its end: its offsets began again below what the lake had.</param>
/// <param name="Page">Number of the newest page that is whole in the lake; 0: none of topic format 2.</param>
/// <param name="GivenUp">Number of the newest page that was given up, since nobody ended it; 0: none was.</param>
/// <param name="RestOf">Number of the page whose rest comes next, its beginning being lost; 0: none's.</param>
/// <param name="NewestFile">The newest file of the entries before; null: none has any, or a version wrote it that did not say.</param>
/// <param name="Replayed">Quarantined records, of whichever partition, that came again by records of this one so far.</param>
/// <param name="Began">The day of the log's first entry, of UTC; null: an earlier version wrote that, or it was lost.</param>
/// <param name="Bytes">Size of the Parquet files written so far, without those of versions that did not count it.</param>
/// <param name="Missing">Places so far at which whole pages that were published are nowhere, and nobody has accepted that.</param>
/// <param name="PassedOver">What is missing right behind it was accepted.</param>
public sealed record PartitionState(
    long NextOffset, string? Fingerprint, bool FingerprintAssumed, bool PageEnded, long Rows, long Quarantined, long Files, long Page = 0,
    int Generation = 0, long Dropped = 0, long GivenUp = 0, long RestOf = 0, NewestFile? NewestFile = null,
    long Replayed = 0, long Bytes = 0, DateOnly? Began = null, long Missing = 0, bool PassedOver = false)
{
    /// <summary>Nothing was stored yet.</summary>
    public static PartitionState Empty { get; } = new(0, null, false, false, 0, 0, 0);
}

/// <summary>A file that shows by being there that the lake is as new as its commit log.</summary>
/// <param name="Sequence">Number of the entry that committed it.</param>
/// <param name="File">The file.</param>
public sealed record NewestFile(long Sequence, CommittedFile File);

/// <summary>
/// One entry of a partition's commit log: what a batch added, and the whole state after it, so that the newest entry
/// alone is enough to go on from.
/// </summary>
/// <param name="Sequence">Number in the log, from 1 on, without gaps.</param>
/// <param name="Writer">Unique per commit; by it a writer knows its own entry.</param>
/// <param name="CommittedAt">By the writer's clock.</param>
/// <param name="FirstOffset">First offset of the batch.</param>
/// <param name="LastOffset">Last offset of the batch.</param>
/// <param name="Files">Parquet files.</param>
/// <param name="Quarantine">Files of records that are no rows.</param>
/// <param name="State">The state after it.</param>
/// <param name="Replays">Files that say which quarantined records came again; null: none did.</param>
public sealed record CommitEntry(
    long Sequence,
    string Writer,
    DateTimeOffset CommittedAt,
    TopicIdentity Topic,
    int Partition,
    long FirstOffset,
    long LastOffset,
    IReadOnlyList<CommittedFile> Files,
    IReadOnlyList<CommittedFile> Quarantine,
    PartitionState State,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<CommittedFile>? Replays = null)
{
    internal IEnumerable<CommittedFile> AllFiles => Files.Concat(Quarantine).Concat(Replays ?? []);

    /// <summary>The newest file up to this entry: one of its own, or, as the entry of a fence has none, the one before it.</summary>
    internal NewestFile? NewestFile => AllFiles.FirstOrDefault() is { } own ? new(Sequence, own) : State.NewestFile;
}

/// <summary>A commit log entry as a state file.</summary>
internal static class CommitEntryFormat
{
    public const int Version = 3;

    /// <summary>Of an entry without replays, which earlier programs read.</summary>
    private const int WithoutReplays = 2;

    private const string Member = "entry";

    private static readonly CommitEntryJson Json = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
    });

    public static byte[] Write(CommitEntry entry) => StateEnvelope.Seal(VersionOf(entry), entry.Topic.Topic, json =>
    {
        json.WritePropertyName(Member);
        JsonSerializer.Serialize(json, entry, Json.CommitEntry);
    });

    private static int VersionOf(CommitEntry entry) => entry.Replays is null ? WithoutReplays : Version;

    /// <param name="file">All of the file.</param>
    /// <param name="owner">Whose log it is in; null: whosever.</param>
    /// <exception cref="FormatException">Torn, altered, of a later version, or another stream's; the message says which.</exception>
    public static CommitEntry Read(ReadOnlySpan<byte> file, string? owner = null)
    {
        using var document = StateEnvelope.Open(file, Version, owner, isSealed: true);
        try
        {
            return document.RootElement.GetProperty(Member).Deserialize(Json.CommitEntry)
                ?? throw new FormatException("it holds no commit log entry");
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new FormatException("it is not a whole commit log entry", e);
        }
    }
}

[JsonSerializable(typeof(CommitEntry))]
internal sealed partial class CommitEntryJson : JsonSerializerContext;
