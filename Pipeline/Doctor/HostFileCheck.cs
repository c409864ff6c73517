using System.Globalization;
using System.Text.Json;

namespace OrdersStream.Doctor;

/// <summary>
/// What of the function app's host.json decides whether a batch is stored or lost: the trigger takes it from there, and nobody else sees
/// it.
/// </summary>
internal sealed class HostFileCheck(FindingList findings)
{
    private const string Subject = "host.json";

    /// <summary>A tick of capture may last an interval of an hour, and its last page a quarter of one.</summary>
    private static readonly TimeSpan RunMax = TimeSpan.FromSeconds(3_600 + 900);

    private static readonly (string Key, string Value, string Otherwise)[] Kafka =
    [
        ("commitOnFailure", "false", "a batch that failed, or whose worker died in it, would be committed, and lost"),
        ("maxRetries", "-1", "a batch would be committed once they are used up, and lost"),
        ("autoOffsetReset", "earliest", "a group without offsets would begin at the topic's end"),
    ];

    /// <param name="path">The file.</param>
    public void Run(string path)
    {
        JsonElement root;
        try
        {
            var options = new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true };
            using var document = JsonDocument.Parse(File.ReadAllBytes(path), options);
            root = document.RootElement.Clone();
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException)
        {
            findings.Fail(Subject, $"'{path}' cannot be read as JSON ({e.GetType().Name})", "correct it, or leave --host-file out");
            return;
        }
        var faults = 0;
        foreach (var (key, value, otherwise) in Kafka)
        {
            var given = At(root, "extensions", "kafka", key);
            if (given == value) continue;
            faults++;
            findings.Fail(
                Subject, $"extensions.kafka.{key} of '{path}' is {given ?? "not given"}: {otherwise}", $"\"{key}\": {Quoted(value)}");
        }
        // -1 is none, for the host.
        if (At(root, "functionTimeout") is not "-1"
            && (!TimeSpan.TryParse(At(root, "functionTimeout"), CultureInfo.InvariantCulture, out var timeout) || timeout < RunMax))
        {
            faults++;
            findings.Fail(Subject,
                $"functionTimeout of '{path}' is {At(root, "functionTimeout") ?? "not given"}: the host would end a long run of "
                + "PostgresToKafka",
                "\"functionTimeout\": \"01:30:00\"");
        }
        if (faults == 0) findings.Good(Subject, $"'{path}' commits no batch that is not stored, and ends no run before its time");
    }

    private static string Quoted(string value) => value is "false" or "-1" ? value : $"\"{value}\"";

    private static string? At(JsonElement element, params ReadOnlySpan<string> keys)
    {
        foreach (var key in keys)
            if (element.ValueKind != JsonValueKind.Object || !element.TryGetProperty(key, out element)) return null;
        return element.ValueKind == JsonValueKind.String ? element.GetString() : element.GetRawText();
    }
}
