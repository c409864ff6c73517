using System.Globalization;
using OrdersStream.Configuration;
using OrdersStream.Durable;

namespace OrdersStream.Status;

/// <summary>
/// Where the rates and lags of the last day outlive the process that saw them. An observation, and no promise: a file that is torn, or
/// cannot be written, costs the picture and nothing else.
/// </summary>
public sealed class FlowHistoryFile(PipelineOptions options)
{
    private const int FormatVersion = 1, FieldCount = 8;

    /// <summary>A day of minutes fits, whatever the numbers.</summary>
    private const int Bytes = 256 * 1024;

    private readonly string path = Path.Combine(options.Streaming.CheckpointLocation, "history", "flow.json");

    /// <exception cref="IOException">It cannot be written.</exception>
    public void Write(IReadOnlyList<FlowReading> minutes)
    {
        // Nothing is stored yet, or elsewhere.
        if (!Directory.Exists(options.Streaming.CheckpointLocation)) return;
        var sealedFile = StateEnvelope.Seal(FormatVersion, options.StreamName, json =>
        {
            json.WriteStartArray("minutes");
            foreach (var reading in minutes) json.WriteStringValue(Line(reading));
            json.WriteEndArray();
        });
        ObservationFile.Write(path, sealedFile, Bytes);
    }

    /// <summary>Nothing where there is no file, or none that can be read.</summary>
    public IReadOnlyList<FlowReading> Read()
    {
        try
        {
            using var document = StateEnvelope.Open(ObservationFile.Read(path), FormatVersion, options.StreamName, isSealed: true);
            return [.. document.RootElement.GetProperty("minutes").EnumerateArray().Select(line => Reading(line.GetString()!))];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException or KeyNotFoundException
            or InvalidOperationException or OverflowException or ArgumentException)
        {
            return [];
        }
    }

    private static string Line(FlowReading r) => string.Create(
        CultureInfo.InvariantCulture,
        $"{r.At.ToUnixTimeMilliseconds()} {r.Published} {r.Stored} {r.CaptureLagSeconds:0.###} {r.LakeLagRecords} {r.LakeLagSeconds:0.###} "
        + $"{r.Health} {r.LatencySeconds:0.###}");

    private static FlowReading Reading(string line)
    {
        var fields = line.Split(' ');
        if (fields.Length != FieldCount) throw new FormatException("it is not a line of this history");
        return new(
            DateTimeOffset.FromUnixTimeMilliseconds(Whole(0) ?? throw new FormatException("a reading without a time")),
            Whole(1), Whole(2), Seconds(3), Whole(4), Seconds(5), Enum.Parse<Health>(fields[6]))
        {
            LatencySeconds = Seconds(7),
        };

        long? Whole(int i) => fields[i] == "" ? null : long.Parse(fields[i], CultureInfo.InvariantCulture);

        double? Seconds(int i) => fields[i] == "" ? null : double.Parse(fields[i], CultureInfo.InvariantCulture);
    }
}
