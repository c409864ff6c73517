using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace OrdersStream.TestKit;

/// <summary>One line of the product's log.</summary>
public sealed record LogLine(int Id, LogLevel Level, string Message);

/// <summary>Everything that the product logged in one test, for the test to look at.</summary>
public sealed class CapturedLog : ILoggerProvider, ILogger
{
    private readonly ConcurrentQueue<LogLine> lines = new();

    public IReadOnlyCollection<LogLine> Lines => lines;

    public IEnumerable<string> Warnings => lines.Where(l => l.Level == LogLevel.Warning).Select(l => l.Message);

    public override string ToString() => string.Join('\n', lines);

    public ILogger CreateLogger(string categoryName) => this;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        lines.Enqueue(new LogLine(eventId.Id, logLevel, formatter(state, exception) + (exception is null ? "" : "\n" + exception)));

    public bool IsEnabled(LogLevel logLevel) => true;

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public void Dispose()
    {
    }
}
