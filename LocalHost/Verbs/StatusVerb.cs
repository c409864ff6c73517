using System.Text;
using Microsoft.Extensions.Logging;
using OrdersStream.Configuration;
using OrdersStream.LocalHost.Terminal;
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
    /// <summary>
    /// Longer than that of the status page, which asks again: a new process has everything to load before its first answer, and its exit
    /// code may wake someone.
    /// </summary>
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(10);

    /// <returns>The health as a number: 0 well, 1 something is wrong, 2 it cannot be told.</returns>
    public static async Task<int> ExecuteAsync(StatusOptions options, CancellationToken cancellationToken)
    {
        await using var stream = LocalStream.Open(
            options.Pipeline, LineLogger.ToConsole(options.LogLevel, TimeProvider.System), halves: []);
        var status = await stream.Status.ReadAsync(AnswerTimeout, cancellationToken);
        Console.WriteLine(options.Json ? Encoding.UTF8.GetString(StatusDocument.ToJson(status, indented: true)) : StatusText.Of(status));
        return (int)status.Health;
    }
}
