using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using OrdersStream.Configuration;
using OrdersStream.LocalHost.CommandLine;
using OrdersStream.Status;

namespace OrdersStream.LocalHost.Verbs;

/// <summary>Whose status is asked for.</summary>
/// <param name="Pipeline">The configuration in force, checked.</param>
/// <param name="Json">As one JSON object, for programs.</param>
/// <param name="LogLevel">Least severe line to show.</param>
public sealed record StatusOptions(PipelineOptions Pipeline, bool Json, LogLevel LogLevel);

/// <summary>Shows where both halves stand.</summary>
public static class StatusVerb
{
    private static readonly JsonSerializerOptions JsonFormat = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, WriteIndented = true };

    /// <returns>0 when the state could be read; 1 when a part of it could not.</returns>
    public static async Task<int> ExecuteAsync(StatusOptions options, CancellationToken cancellationToken)
    {
        await using var run = new PipelineRun(options.Pipeline, TimeProvider.System, LineLogger.ToConsole(options.LogLevel, TimeProvider.System));
        var status = await run.Get<StatusReader>().ReadAsync(cancellationToken);
        if (options.Json) Console.WriteLine(JsonSerializer.Serialize(status, JsonFormat));
        else Print(status);
        return status.Problems.IsEmpty ? ExitCode.Ok : ExitCode.Failure;
    }

    private static void Print(PipelineStatus s)
    {
        Say($"{s.Table} -> {s.Topic} -> {s.Lake}");
        Say($"PostgresToKafka  {Describe(s.Capture)}");
        Say($"KafkaToLake      {s.Rows:N0} rows in {s.Files:N0} files, {s.Quarantined:N0} quarantined, lag {(s.Lag is { } lag ? lag.ToString("N0", CultureInfo.InvariantCulture) : "unknown")}");
        if (!s.Partitions.IsEmpty) Say($"  partition      kept from            end       lake next       lag            rows  quarantined   last commit");
        foreach (var p in s.Partitions)
            Say($"  {p.Partition,9}{p.Low,15}{p.High,15}{p.Next,16}{p.Lag,10}{p.Rows,16}{p.Quarantined,13}   {p.CommittedAt?.UtcDateTime:yyyy-MM-dd HH:mm:ss}");
        foreach (var warning in s.Warnings) Say($"warning: {warning}");
        foreach (var problem in s.Problems) Say($"problem: {problem}");
    }

    private static string Describe(CaptureStatus? capture)
    {
        if (capture is null) return "nothing captured yet";
        var position = capture.CapturedUpTo is { } at
            ? string.Create(CultureInfo.InvariantCulture, $"captured up to {at:yyyy-MM-dd HH:mm:ss} UTC, {capture.WindowsTaken:N0} windows; the next reads from {(capture.NextFrom is { } from ? $"{from:yyyy-MM-dd HH:mm:ss}" : "the beginning")}")
            : "initial load not done";
        return capture.WindowInProgress is { } window ? $"{position}; window {window} in progress, {capture.PagesOfWindow} pages published" : position;
    }

    private static void Say(FormattableString line) => Console.WriteLine(line.ToString(CultureInfo.InvariantCulture).TrimEnd());
}
