using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using OrdersStream.Configuration;
using OrdersStream.Hosting;
using OrdersStream.LocalHost.Terminal;
using OrdersStream.Replay;

namespace OrdersStream.LocalHost.Verbs;

/// <summary>What of quarantine was asked for.</summary>
/// <param name="Pipeline">The configuration in force, checked.</param>
/// <param name="Selection">Which records.</param>
/// <param name="Json">For programs.</param>
/// <param name="LogLevel">Least severe line to show.</param>
public sealed record QuarantineOptions(PipelineOptions Pipeline, RecordSelection Selection, bool Json, LogLevel LogLevel);

/// <summary>Records that are no rows: what there is, and sending them again.</summary>
public static class QuarantineVerbs
{
    private const int RefusedShown = 20;

    public static async Task<int> ListAsync(QuarantineOptions options, CancellationToken cancellationToken)
    {
        await using var stream = Open(options);
        var found = await stream.Quarantine.SummarizeAsync(cancellationToken);
        if (options.Json) Console.WriteLine(Json(found));
        else Print(found);
        return ExitCode.Ok;
    }

    /// <summary>Prints values: who asks for them wants them, and they go nowhere else.</summary>
    public static async Task<int> ShowAsync(QuarantineOptions options, CancellationToken cancellationToken)
    {
        await using var stream = Open(options);
        foreach (var line in await stream.Quarantine.ShowAsync(options.Selection, options.Json, cancellationToken))
            await Console.Out.WriteLineAsync(line.AsMemory(), cancellationToken);
        return ExitCode.Ok;
    }

    /// <param name="options">Which records.</param>
    /// <param name="corrections">A file with corrections; null: as they were.</param>
    /// <param name="cancellationToken">Ends it between two batches of records.</param>
    /// <returns>0: all that were asked for are in the topic; 1: some are no rows; 2: none waits.</returns>
    public static async Task<int> ReplayAsync(QuarantineOptions options, string? corrections, CancellationToken cancellationToken)
    {
        await using var stream = Open(options);
        var outcome = await stream.Quarantine.SendAsync(options.Selection, corrections, cancellationToken);
        Say($"{outcome.Sent:N0} records were sent again");
        if (outcome.UnderWay > 0) Say($"{outcome.UnderWay:N0} of them had been before, and were as they were then");
        foreach (var (record, why) in outcome.Refused.Take(RefusedShown)) Say($"stays in quarantine: {record}: {why}");
        if (outcome.Refused.Length > RefusedShown) Say($"and {outcome.Refused.Length - RefusedShown:N0} more");
        if (outcome.Sent > 0) Say($"each leaves quarantine as KafkaToLake stores it: quarantine list tells");
        if (outcome.Refused.Length > 0) return ExitCode.Failure;
        return outcome.Sent > 0 ? ExitCode.Ok : ExitCode.Unknown;
    }

    private static PipelineStream Open(QuarantineOptions options) =>
        LocalStream.Open(options.Pipeline, LineLogger.ToConsole(options.LogLevel, TimeProvider.System), halves: []);

    private static void Print(QuarantineSummary found)
    {
        foreach (var cause in found.Causes)
        {
            Say($"{cause.Records,10:N0}  {cause.Reason}");
            if (cause.Since is { } since) Say($"            since {since:yyyy-MM-dd HH:mm:ssZ}, until {cause.Until:yyyy-MM-dd HH:mm:ssZ}");
            foreach (var at in cause.Partitions)
            {
                var generation = at.Generation > 0 ? $" (generation {at.Generation})" : "";
                var where = $"partition {at.Partition}{generation}";
                Say($"            {where}: {at.Records:N0} at offsets {at.First}..{at.Last}, in {Names(at.Files)}");
            }
        }
        Say($"{found.Records,10:N0}  in quarantine; {found.Replayed:N0} more were, and came again");
    }

    private static string Names(ImmutableArray<string> files) =>
        files.Length == 1 ? files[0] : $"{files.Length} files from {files[0]} to {files[^1]}";

    private static string Json(QuarantineSummary found)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteNumber("records", found.Records);
            json.WriteNumber("replayed", found.Replayed);
            json.WriteStartArray("causes");
            foreach (var cause in found.Causes) Write(json, cause);
            json.WriteEndArray();
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(bytes.ToArray());
    }

    private static void Write(Utf8JsonWriter json, QuarantineGroup cause)
    {
        json.WriteStartObject();
        json.WriteString("reason", cause.Reason);
        json.WriteNumber("records", cause.Records);
        if (cause is { Since: { } since, Until: { } until })
        {
            json.WriteString("since", since);
            json.WriteString("until", until);
        }
        json.WriteStartArray("partitions");
        foreach (var at in cause.Partitions)
        {
            json.WriteStartObject();
            json.WriteNumber("partition", at.Partition);
            if (at.Generation > 0) json.WriteNumber("generation", at.Generation);
            json.WriteNumber("records", at.Records);
            json.WriteNumber("firstOffset", at.First);
            json.WriteNumber("lastOffset", at.Last);
            json.WriteStartArray("files");
            foreach (var file in at.Files) json.WriteStringValue(file);
            json.WriteEndArray();
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void Say(FormattableString line) => Console.WriteLine(line.ToString(CultureInfo.InvariantCulture));
}
