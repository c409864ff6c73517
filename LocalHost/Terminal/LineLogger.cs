using System.Globalization;
using System.Text;
using Microsoft.Extensions.Logging;
using OrdersStream.Diagnostics;

namespace OrdersStream.LocalHost.Terminal;

/// <summary>
/// Log events as plain lines: UTC time, level, message. Behind it the stack trace of a defect, which is to be reported; at debug level
/// that of each failure, with its own words.
/// </summary>
public sealed class LineLogger(LogLevel least, TimeProvider time, Action<string> write, bool colours) : ILoggerProvider, ILogger
{
    /// <summary>Whether standard output is a terminal that may be given colours.</summary>
    public static bool TerminalTakesColours =>
        !Console.IsOutputRedirected
        && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"))
        && Environment.GetEnvironmentVariable("TERM") != "dumb";

    public static LineLogger ToConsole(LogLevel least, TimeProvider time) => new(least, time, Console.Out.WriteLine, TerminalTakesColours);

    public ILogger CreateLogger(string categoryName) => this;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= least && logLevel != LogLevel.None;

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (!IsEnabled(logLevel)) return;
        var line = new StringBuilder(time.GetUtcNow().UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture));
        var (name, colour) = Style(logLevel);
        var shownName = colours && colour.Length > 0 ? $"{colour}{name}\e[0m" : name;
        line.Append(' ').Append(shownName).Append(' ').Append(OneLine(formatter(state, exception)));
        if (exception is not null && least <= LogLevel.Debug) line.AppendLine().Append(exception);
        else if (exception is not null && FailurePolicy.Judge(exception).IsDefect)
            line.AppendLine().Append(FailurePolicy.TraceOf(exception));
        try
        {
            write(line.ToString());
        }
        catch (IOException)
        {
            // A full disk behind the log, or a reader of it that is gone: the line is lost, and rows go on.
        }
    }

    public void Dispose()
    {
        // Lines are written as they come.
    }

    private static (string Name, string Colour) Style(LogLevel level) => level switch
    {
        LogLevel.Trace => ("TRACE", "\e[2m"),
        LogLevel.Debug => ("DEBUG", "\e[2m"),
        LogLevel.Warning => ("WARN ", "\e[33m"),
        LogLevel.Error => ("ERROR", "\e[31m"),
        LogLevel.Critical => ("FATAL", "\e[31m"),
        _ => ("INFO ", ""),
    };

    private static string OneLine(string message) => message.ReplaceLineEndings(" | ");
}
