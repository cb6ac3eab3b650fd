using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Options;

namespace FuncScaler.ScalerHost;

/// <summary>
/// Logs each entry as one line, whatever is in it: names and functions' own words may hold line ends and terminal commands. Exceptions are
/// told by their type and message; their stack traces only where <see cref="LineFormatterOptions.WithStackTraces"/> asks for them.
/// </summary>
internal sealed class LineFormatter(IOptions<LineFormatterOptions> options, TimeProvider time) : ConsoleFormatter(FormatterName)
{
    public const string FormatterName = "line";

    public override void Write<TState>(in LogEntry<TState> entry, IExternalScopeProvider? scopeProvider, TextWriter writer)
    {
        var message = entry.Formatter(entry.State, entry.Exception);
        writer.Write(time.GetUtcNow().ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture));
        writer.Write($" {NameOf(entry.LogLevel)} {entry.Category}[{entry.EventId.Id}] ");
        writer.Write(Printable(message));
        for (var e = entry.Exception; e is not null; e = e.InnerException)
        {
            writer.Write(Printable($" ({e.GetType().Name}: {e.Message})"));
        }

        writer.Write('\n');
        if (options.Value.WithStackTraces && entry.Exception is { } exception)
        {
            foreach (var line in exception.ToString().Split('\n'))
            {
                writer.Write("    " + Printable(line) + "\n");
            }
        }
    }

    /// <summary>The text without what would move the cursor, end the line or turn the terminal's mode.</summary>
    internal static string Printable(string text) =>
        text.Any(char.IsControl) ? string.Concat(text.Select(c => char.IsControl(c) ? ' ' : c)) : text;

    private static string NameOf(LogLevel level) => level switch
    {
        LogLevel.Trace => "trace",
        LogLevel.Debug => "debug",
        LogLevel.Information => "info",
        LogLevel.Warning => "warn",
        _ => "error",
    };
}

/// <summary>Settings of <see cref="LineFormatter"/>.</summary>
internal sealed class LineFormatterOptions : ConsoleFormatterOptions
{
    /// <summary>Whether exceptions' stack traces follow, on lines of their own; not by default.</summary>
    public bool WithStackTraces { get; set; }
}

/// <summary>Adds the formatter.</summary>
internal static class LineFormatterLogging
{
    public static ILoggingBuilder AddLineConsole(this ILoggingBuilder logging, bool withStackTraces)
    {
        logging.AddConsole(console => console.FormatterName = LineFormatter.FormatterName);
        logging.AddConsoleFormatter<LineFormatter, LineFormatterOptions>(options => options.WithStackTraces = withStackTraces);
        logging.Services.AddSingleton(TimeProvider.System);
        return logging;
    }
}
