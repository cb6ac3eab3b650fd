using Microsoft.Extensions.Logging;

namespace FuncScaler.FunctionsHost;

/// <summary>Hands what the host's parts log to one taker of lines.</summary>
internal sealed class LineLoggerProvider(Action<string> take) : ILoggerProvider
{
    public ILogger CreateLogger(string categoryName) => new Logger(categoryName, take);

    public void Dispose()
    {
    }

    private sealed class Logger(string category, Action<string> take) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            take($"host: {logLevel} {category}: {formatter(state, exception)} {exception}");
    }
}
