using System.Text.Json;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Kafka;
using OrdersStream.Lake.Files;

namespace OrdersStream.Lake;

/// <summary>
/// A state file that says which topic a folder belongs to: a commit log's, a lake's. A topic of the same name but another id is
/// another topic (invariant 6).
/// </summary>
internal static class OwnerFile
{
    private const int FormatVersion = 1;

    /// <param name="topic">The owner.</param>
    /// <param name="lakeId">Tells a lake from any other of the topic; null: the folder is no lake.</param>
    /// <param name="begins">Of a lake: the first offset that Kafka kept of each partition when it was begun; null: not known.</param>
    /// <param name="logId">Tells a commit log from any other of the topic; null: the file names none.</param>
    public static byte[] Write(TopicIdentity topic, string? lakeId = null, IReadOnlyList<long>? begins = null, string? logId = null) =>
        StateEnvelope.Seal(FormatVersion, topic.Topic, json =>
        {
            json.WriteString("clusterId", topic.ClusterId);
            json.WriteString("topic", topic.Topic);
            json.WriteString("topicId", topic.TopicId);
            if (lakeId is not null) json.WriteString("lakeId", lakeId);
            if (logId is not null) json.WriteString("logId", logId);
            if (begins is null) return;
            json.WriteStartArray("begins");
            foreach (var offset in begins) json.WriteNumberValue(offset);
            json.WriteEndArray();
        });

    /// <summary>Where each partition of a lake begins; null: an earlier version wrote the file, and it is not known.</summary>
    /// <param name="content">All of a file that <see cref="Read"/> has read.</param>
    public static IReadOnlyList<long>? ReadBegins(ReadOnlySpan<byte> content)
    {
        using var document = StateEnvelope.Open(content, FormatVersion);
        return document.RootElement.TryGetProperty("begins", out var begins)
            ? [.. begins.EnumerateArray().Select(offset => offset.GetInt64())]
            : null;
    }

    /// <summary>What tells the lake from any other; null: the folder is none.</summary>
    /// <param name="content">All of a file that <see cref="Read"/> has read.</param>
    public static string? ReadLakeId(ReadOnlySpan<byte> content) => ReadText(content, "lakeId");

    /// <summary>Which commit log the file names; null: none.</summary>
    /// <param name="content">All of a file that <see cref="Read"/> has read.</param>
    public static string? ReadLogId(ReadOnlySpan<byte> content) => ReadText(content, "logId");

    private static string? ReadText(ReadOnlySpan<byte> content, string name)
    {
        using var document = StateEnvelope.Open(content, FormatVersion);
        return document.RootElement.TryGetProperty(name, out var text) ? text.GetString() : null;
    }

    /// <param name="content">All of the file.</param>
    /// <param name="path">Where it lies, for texts.</param>
    /// <exception cref="PipelineException">Torn, altered or of a later version.</exception>
    public static TopicIdentity Read(ReadOnlySpan<byte> content, string path)
    {
        try
        {
            using var document = StateEnvelope.Open(content, FormatVersion);
            var root = document.RootElement;
            return new TopicIdentity(
                root.GetProperty("clusterId").GetString()!, root.GetProperty("topic").GetString()!,
                root.GetProperty("topicId").GetString());
        }
        catch (FormatException e)
        {
            throw Unusable(path, e.Message, e);
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException)
        {
            throw Unusable(path, "it is not the JSON of a topic's identity", e);
        }
    }

    public static PipelineException Unusable(string path, string why, Exception? cause = null) => new(
        FailureAction.Stop, $"'{path}' cannot be used: {why}.",
        "Use the version of the program that wrote it, or restore the file from a backup.", cause);

    /// <param name="what">What belongs to the other: "checkpoint", "lake".</param>
    /// <param name="folder">Where it lies.</param>
    /// <param name="owner">Whose it is.</param>
    /// <param name="topic">Whose it should be.</param>
    public static PipelineException AnotherTopic(string what, string folder, TopicIdentity owner, TopicIdentity topic) => new(
        topic.ActionWhereOther(owner),
        $"The {what} belongs to another topic of the name '{topic.Topic}': '{folder}' is of {Describe(owner)}, "
        + $"the brokers have {Describe(topic)}.",
        "If the topic was deleted and made anew, its offsets began again at 0: "
        + "give it a new streaming.checkpoint_location and datalake.path, or move both folders away. "
        + "If kafka.brokers points at another cluster, correct it.");

    private static string Describe(TopicIdentity topic) =>
        topic.TopicId is { } id ? $"topic id {id}"
        : topic.ClusterId.Length > 0 ? $"cluster {topic.ClusterId} (no topic id)"
        : "a cluster without ids";
}
