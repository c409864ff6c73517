using System.Globalization;
using System.Text;
using Microsoft.Extensions.Logging;
using OrdersStream.Configuration;
using OrdersStream.Doctor;
using OrdersStream.LocalHost.Terminal;

namespace OrdersStream.LocalHost.Verbs;

/// <summary>What <c>check</c> was asked to look at.</summary>
/// <param name="Pipeline">The configuration in force, checked.</param>
/// <param name="HostFile">The function app's host.json; null: one that lies in the working folder or its FunctionApp, if any does.</param>
/// <param name="Json">As one JSON object, for programs.</param>
/// <param name="LogLevel">Least severe line to show.</param>
public sealed record CheckOptions(PipelineOptions Pipeline, string? HostFile, bool Json, LogLevel LogLevel);

/// <summary>Looks at everything that a stream needs.</summary>
public static class CheckVerb
{
    private const int SubjectWidth = 19;

    /// <returns>The verdict as a number: 0 ready, 1 something would stop the stream or lose rows, 2 it cannot be told.</returns>
    public static async Task<int> ExecuteAsync(CheckOptions options, CancellationToken cancellationToken)
    {
        await using var stream = LocalStream.Open(
            options.Pipeline, LineLogger.ToConsole(options.LogLevel, TimeProvider.System), halves: []);
        var report = await stream.CheckAsync(options.HostFile ?? FindHostFile(), cancellationToken);
        Console.WriteLine(options.Json ? Encoding.UTF8.GetString(CheckDocument.ToJson(report)) : TextOf(report));
        return (int)report.Verdict;
    }

    private static string? FindHostFile() => new[] { "host.json", "FunctionApp/host.json" }.FirstOrDefault(File.Exists);

    internal static string TextOf(CheckReport report)
    {
        var text = new StringBuilder();
        foreach (var finding in report.Findings)
        {
            text.Append(Word(finding.Grade)).Append(' ').Append(finding.Subject.PadRight(SubjectWidth)).Append(' ')
                .AppendLine(finding.Says);
            if (finding.Remedy is { } remedy) text.Append(' ', 6 + SubjectWidth).Append("-> ").AppendLine(remedy);
        }
        return text.Append(Sentence(report)).ToString();
    }

    private static string Word(Grade grade) => grade switch
    {
        Grade.Good => "ok  ",
        Grade.Warning => "WARN",
        Grade.Failure => "FAIL",
        _ => "?   ",
    };

    private static string Sentence(CheckReport report)
    {
        var warnings = report.Count(Grade.Warning) is > 0 and var count
            ? string.Create(CultureInfo.InvariantCulture, $"; {count} warning{(count == 1 ? "" : "s")}") : "";
        return report.Verdict switch
        {
            Readiness.Ready => $"ready: nothing was found that would stop the stream or lose rows{warnings}",
            Readiness.NotReady => $"NOT READY: {report.Count(Grade.Failure)} of the above would stop the stream or lose rows{warnings}",
            _ => $"IT CANNOT BE TOLD: {report.Count(Grade.Unknown)} of the above could not be looked at{warnings}",
        };
    }
}
