using System.Text.Json;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Lake.Files;
using OrdersStream.Rows;

namespace OrdersStream.Lake;

/// <summary>
/// Which quarantined records came again, and were decided anew: a file beside the lines of quarantine, committed together with what became
/// of them. A line of quarantine counts as long as no such file names it; no file is ever changed.
/// </summary>
internal sealed class ReplayMarks(string topic)
{
    private const int Version = 1;

    private readonly List<(RecordPlace Place, long By)> marks = [];

    public int Count => marks.Count;

    /// <summary>Offset of the first record by which one came again.</summary>
    public long FirstOffset => marks[0].By;

    /// <summary>Of the last one.</summary>
    public long LastOffset => marks[^1].By;

    /// <param name="place">Which record came again.</param>
    /// <param name="by">Offset of the record by which it did.</param>
    public void Add(RecordPlace place, long by) => marks.Add((place, by));

    public void Clear() => marks.Clear();

    public ReadOnlyMemory<byte> Written() => StateEnvelope.Seal(Version, topic, json =>
    {
        json.WriteStartArray("replayed");
        foreach (var (place, by) in marks)
        {
            json.WriteStartObject();
            json.WriteNumber("partition", place.Partition);
            json.WriteNumber("generation", place.Generation);
            json.WriteNumber("offset", place.Offset);
            json.WriteNumber("by", by);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    });

    /// <summary>The files of a lake.</summary>
    public static IEnumerable<string> Files(ILakeFiles lake) =>
        lake.List(LakePath.QuarantineFolder).Where(f => LakePath.TryParse(f, out var name) && name.Kind == LakeFileKind.Replayed);

    /// <summary>Which records a file names.</summary>
    /// <exception cref="PipelineException">It cannot be used.</exception>
    public static IReadOnlyList<RecordPlace> In(ILakeFiles lake, string path) => Read(lake, path, root =>
    {
        return root.GetProperty("replayed").EnumerateArray().Select(mark => new RecordPlace(
            mark.GetProperty("partition").GetInt32(), mark.GetProperty("generation").GetInt32(),
            mark.GetProperty("offset").GetInt64())).ToList();
    });

    /// <summary>Whose records a file names.</summary>
    /// <exception cref="PipelineException">It cannot be used.</exception>
    public static string? TopicIn(ILakeFiles lake, string path) => Read(lake, path, root => root.GetProperty("owner").GetString());

    /// <summary>Those of a topic that came again by records of one partition, or of any.</summary>
    public static HashSet<RecordPlace> By(ILakeFiles lake, string topic, int? partition = null) =>
    [
        .. from path in Files(lake)
           where LakePath.TryParse(path, out var name) && (partition is null || name.Partition == partition)
           where TopicIn(lake, path) == topic
           from place in In(lake, path)
           select place,
    ];

    private static T Read<T>(ILakeFiles lake, string path, Func<JsonElement, T> read)
    {
        try
        {
            using var document = StateEnvelope.Open(lake.Read(path), Version, isSealed: true);
            return read(document.RootElement);
        }
        catch (Exception e) when (e is FormatException or KeyNotFoundException or InvalidOperationException)
        {
            throw new PipelineException(FailureAction.Stop,
                $"'{lake.Locate(path)}', which says what of quarantine came again, cannot be used: {e.Message}.",
                "Restore it from a backup, or use the version of the program that wrote it.", e);
        }
    }
}
