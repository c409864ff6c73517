using System.Globalization;
using System.Text.Json;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Kafka;
using OrdersStream.Lake.Files;
using OrdersStream.Rows;

namespace OrdersStream.Replay;

/// <summary>A record as it is sent again, however often.</summary>
/// <param name="Place">Where it was received first.</param>
/// <param name="Partition">Where it is sent to.</param>
/// <param name="Version">Its row's <c>_version</c>.</param>
/// <param name="Fingerprint">Of the schema by which it is a row.</param>
/// <param name="Key">The key.</param>
/// <param name="Value">The value.</param>
/// <param name="Headers">Its own.</param>
internal sealed record OutgoingReplay(
    RecordPlace Place, int Partition, long Version, string Fingerprint, byte[] Key, byte[] Value, IReadOnlyList<StreamHeader> Headers);

/// <summary>
/// What was, or is about to be, sent again: numbered files, each created once, before the first of its records is sent. A record has one
/// content and one partition from then on, whoever sends it again after a crash, so that the storing half of that partition sees all
/// copies. Two who replay at the same time want the same next number, and one of them reads the log again.
/// </summary>
internal sealed class ReplayLog(ILakeFiles checkpoint, string stream)
{
    private const int Version = 1;
    private const string Folder = "replays";

    private long newest;

    /// <summary>
    /// Which records are under way, and by which file. What is not any more is removed, but for the newest file: numbers only grow.
    /// </summary>
    /// <param name="readReplayed">What came again; asked for after the files are listed, so that of one that is gone it is known.</param>
    /// <param name="replayed">Its answer.</param>
    public Dictionary<RecordPlace, long> Open(Func<HashSet<RecordPlace>> readReplayed, out HashSet<RecordPlace> replayed)
    {
        var numbers = Numbers();
        replayed = readReplayed();
        var under = new Dictionary<RecordPlace, long>();
        foreach (var number in numbers)
        {
            var places = Read(number).Select(r => r.Place).ToList();
            if (places.TrueForAll(replayed.Contains) && number != numbers[^1]) checkpoint.Remove(PathOf(number));
            else foreach (var place in places) under[place] = number;
        }
        newest = numbers.DefaultIfEmpty().Max();
        return under;
    }

    /// <summary>The records of a file.</summary>
    /// <exception cref="PipelineException">It cannot be used.</exception>
    public IReadOnlyList<OutgoingReplay> Read(long number)
    {
        var path = PathOf(number);
        try
        {
            using var document = StateEnvelope.Open(checkpoint.Read(path), Version, stream, isSealed: true);
            return [.. document.RootElement.GetProperty("records").EnumerateArray().Select(Read)];
        }
        catch (FileNotFoundException)
        {
            return []; // another removed it: all of it came again
        }
        catch (Exception e) when (e is FormatException or KeyNotFoundException or InvalidOperationException)
        {
            throw new PipelineException(FailureAction.Stop,
                $"'{checkpoint.Locate(path)}', which says what is sent again from quarantine, cannot be used: {e.Message}.",
                "Restore it from a backup, or use the version of the program that wrote it.", e);
        }
    }

    /// <summary>Makes durable what is to be sent. False: somebody else replays, and the log must be opened again.</summary>
    public bool TryAppend(IReadOnlyList<OutgoingReplay> records)
    {
        var path = PathOf(newest + 1);
        if (!checkpoint.TryCreate(path, Write(records), CrashPoint.ReplayWritten)) return false;
        if (Numbers()[^1] == newest + 1)
        {
            newest++;
            return true;
        }
        // The number was used and its file removed while this process slept.
        checkpoint.Remove(path);
        return false;
    }

    private static string PathOf(long number) => string.Create(CultureInfo.InvariantCulture, $"{Folder}/{number:D20}.json");

    private List<long> Numbers()
    {
        var found = new List<long>();
        foreach (var path in checkpoint.List(Folder))
            if (path.EndsWith(".json", StringComparison.Ordinal) && long.TryParse(
                Path.GetFileNameWithoutExtension(path.AsSpan()), NumberStyles.None, CultureInfo.InvariantCulture, out var number))
                found.Add(number);
        found.Sort();
        return found;
    }

    private byte[] Write(IReadOnlyList<OutgoingReplay> records) => StateEnvelope.Seal(Version, stream, json =>
    {
        json.WriteStartArray("records");
        foreach (var record in records)
        {
            json.WriteStartObject();
            json.WriteNumber("partition", record.Place.Partition);
            json.WriteNumber("generation", record.Place.Generation);
            json.WriteNumber("offset", record.Place.Offset);
            json.WriteNumber("to", record.Partition);
            json.WriteNumber("version", record.Version);
            json.WriteString("schema", record.Fingerprint);
            json.WriteBase64String("key", record.Key);
            json.WriteBase64String("value", record.Value);
            json.WriteStartArray("headers");
            foreach (var header in record.Headers)
            {
                json.WriteStartObject();
                json.WriteString("name", header.Name);
                if (header.Value is { } value) json.WriteBase64String("value", value);
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteEndObject();
        }
        json.WriteEndArray();
    });

    private static OutgoingReplay Read(JsonElement record) => new(
        new(
            record.GetProperty("partition").GetInt32(), record.GetProperty("generation").GetInt32(),
            record.GetProperty("offset").GetInt64()),
        record.GetProperty("to").GetInt32(), record.GetProperty("version").GetInt64(), record.GetProperty("schema").GetString()!,
        record.GetProperty("key").GetBytesFromBase64(), record.GetProperty("value").GetBytesFromBase64(),
        [.. record.GetProperty("headers").EnumerateArray().Select(h => new StreamHeader(
            h.GetProperty("name").GetString()!, h.TryGetProperty("value", out var value) ? value.GetBytesFromBase64() : null))]);
}
