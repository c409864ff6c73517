namespace OrdersStream.FunctionApp;

/// <summary>
/// A line that the worker prints, so that the host's log shows it: the host takes each for an Information but those that hold "warn",
/// and then those that hold "error" or "fail".
/// </summary>
internal static class ConsoleLine
{
    /// <summary>The host does, by a word in it.</summary>
    public static bool IsTakenForWarning(string text) => text.Contains("warn", StringComparison.OrdinalIgnoreCase);

    public static string Error(string text) => $"error: {text}";

    public static string Warning(string text) => $"warning: {text}";
}
