using Microsoft.Extensions.Logging;

namespace OrdersStream.FunctionApp.Tests;

/// <summary>
/// What the host makes of a line that a worker prints, by the words in it; its log shows it as <c>Host.Function.Console</c>.
/// </summary>
internal static class HostConsole
{
    private static readonly string[] Errors = ["error", "fail", "severe", "unhandled exception"];

    public static LogLevel LevelOf(string line) =>
        line.Contains("warn", StringComparison.OrdinalIgnoreCase) ? LogLevel.Warning
        : Array.Exists(Errors, word => line.Contains(word, StringComparison.OrdinalIgnoreCase)) ? LogLevel.Error
        : LogLevel.Information;
}
