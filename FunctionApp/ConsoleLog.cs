using Microsoft.Extensions.Logging;
using OrdersStream.Hosting.Functions;

namespace OrdersStream.FunctionApp;

/// <summary>
/// What is logged while no function runs, as by the audit: the host drops what comes beside its own runs, but shows what the worker prints.
/// </summary>
internal sealed class ConsoleLog(TextWriter console) : ILoggerProvider
{
    private const string Ours = "OrdersStream";

    public ILogger CreateLogger(string categoryName) => new Logger(console, categoryName.StartsWith(Ours, StringComparison.Ordinal));

    public void Dispose()
    {
    }

    private sealed class Logger(TextWriter console, bool isOurs) : ILogger
    {
        public bool IsEnabled(LogLevel logLevel) => isOurs && logLevel >= LogLevel.Information && !Watchdog.IsInRun;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (!IsEnabled(logLevel)) return;
            var text = formatter(state, exception) + (exception is null ? "" : $"\n{exception}");
            console.WriteLine(logLevel switch
            {
                LogLevel.Error or LogLevel.Critical => ConsoleLine.Error(text),
                LogLevel.Warning => ConsoleLine.Warning(text),
                _ => text,
            });
        }

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;
    }
}
