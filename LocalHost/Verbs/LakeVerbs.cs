using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using OrdersStream.Audit;
using OrdersStream.Configuration;
using OrdersStream.Hosting;
using OrdersStream.LocalHost.Terminal;
using OrdersStream.Status;

namespace OrdersStream.LocalHost.Verbs;

/// <summary>What of the lake was asked for.</summary>
/// <param name="Pipeline">The configuration in force, checked.</param>
/// <param name="Key">A text for each column of a row's key; empty: no row is asked for.</param>
/// <param name="ShowValues">Also print the row's columns, which are data.</param>
/// <param name="Json">For programs.</param>
/// <param name="LogLevel">Least severe line to show.</param>
public sealed record LakeOptions(PipelineOptions Pipeline, ImmutableArray<string> Key, bool ShowValues, bool Json, LogLevel LogLevel);

/// <summary>Looks into the lake, and changes nothing.</summary>
public static class LakeVerbs
{
    /// <returns>0: the lake has versions of the row; 1: it has none.</returns>
    public static async Task<int> HistoryAsync(LakeOptions options, CancellationToken cancellationToken)
    {
        var versions = await ReadAsync(options, cancellationToken);
        if (options.Json)
        {
            Console.WriteLine(Json(json =>
            {
                json.WriteStartArray();
                foreach (var version in versions) Write(json, version, options.ShowValues);
                json.WriteEndArray();
            }));
        }
        else
        {
            foreach (var v in versions)
            {
                var version = v.Version?.ToString(CultureInfo.InvariantCulture) ?? "-";
                Say($"{v.Time ?? "-",-28} {v.Op,-8} version {version,-18} partition {v.Partition} offset {v.Offset}  {v.File}");
                if (options.ShowValues) Say($"  {v.Row}");
            }
            Say($"{versions.Length:N0} versions, the newest first");
        }
        return versions.IsEmpty ? ExitCode.Failure : ExitCode.Ok;
    }

    /// <returns>0: files of the lake hold the row; 1: none does.</returns>
    public static async Task<int> FilesAsync(LakeOptions options, CancellationToken cancellationToken)
    {
        var files = (await ReadAsync(options, cancellationToken)).GroupBy(v => v.File).OrderBy(f => f.Key, StringComparer.Ordinal).ToList();
        if (options.Json)
        {
            Console.WriteLine(Json(json =>
            {
                json.WriteStartArray();
                foreach (var file in files)
                {
                    json.WriteStartObject();
                    json.WriteString("file", file.Key);
                    json.WriteNumber("versions", file.Count());
                    json.WriteEndObject();
                }
                json.WriteEndArray();
            }));
        }
        else
        {
            foreach (var file in files) Say($"{file.Count(),6:N0} versions  {file.Key}");
        }
        return files.Count == 0 ? ExitCode.Failure : ExitCode.Ok;
    }

    /// <returns>0.</returns>
    public static async Task<int> StatsAsync(LakeOptions options, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        await using var stream = Open(options);
        var days = stream.Stats.Read();
        if (options.Json)
        {
            Console.WriteLine(Json(json =>
            {
                json.WriteStartArray();
                foreach (var day in days) Write(json, day);
                json.WriteEndArray();
            }));
            return ExitCode.Ok;
        }
        Say($"{"day (UTC)",-12}{"rows",16}{"files",12}{"bytes",20}{"quarantined",14}");
        foreach (var d in days) Say($"{Text(d.Day) ?? "before",-12}{d.Rows,16:N0}{d.Files,12:N0}{d.Bytes,20:N0}{d.Quarantined,14:N0}");
        return ExitCode.Ok;
    }

    private static async Task<ImmutableArray<StoredVersion>> ReadAsync(LakeOptions options, CancellationToken cancellationToken)
    {
        await using var stream = Open(options);
        return await stream.Rows.ReadAsync(options.Key, cancellationToken);
    }

    private static string Json(Action<Utf8JsonWriter> write)
    {
        using var bytes = new MemoryStream();
        var layout = new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using (var json = new Utf8JsonWriter(bytes, layout)) write(json);
        return Encoding.UTF8.GetString(bytes.ToArray());
    }

    private static void Write(Utf8JsonWriter json, StoredVersion version, bool showValues)
    {
        json.WriteStartObject();
        json.WriteString("time", version.Time);
        json.WriteString("op", version.Op);
        if (version.Version is { } number) json.WriteNumber("version", number);
        json.WriteNumber("partition", version.Partition);
        json.WriteNumber("offset", version.Offset);
        json.WriteString("file", version.File);
        if (showValues)
        {
            json.WritePropertyName("row");
            json.WriteRawValue(version.Row);
        }
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, DayStats day)
    {
        json.WriteStartObject();
        json.WriteString("day", Text(day.Day));
        json.WriteNumber("rows", day.Rows);
        json.WriteNumber("files", day.Files);
        json.WriteNumber("bytes", day.Bytes);
        json.WriteNumber("quarantined", day.Quarantined);
        json.WriteEndObject();
    }

    private static string? Text(DateOnly? day) => day?.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

    private static PipelineStream Open(LakeOptions options) =>
        LocalStream.Open(options.Pipeline, LineLogger.ToConsole(options.LogLevel, TimeProvider.System), halves: []);

    private static void Say(FormattableString line) => Console.WriteLine(line.ToString(CultureInfo.InvariantCulture));
}
