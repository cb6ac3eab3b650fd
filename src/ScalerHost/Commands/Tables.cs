using System.Globalization;
using Spectre.Console;

namespace FuncScaler.ScalerHost.Commands;

/// <summary>Tables on standard output, plain and wide where it is not a terminal.</summary>
internal static class Tables
{
    private const int RedirectedWidth = 200;

    public static void Write(Table table)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = Console.IsOutputRedirected ? AnsiSupport.No : AnsiSupport.Detect,
            Out = new AnsiConsoleOutput(Console.Out),
        });
        if (Console.IsOutputRedirected)
        {
            console.Profile.Width = RedirectedWidth;
        }

        console.Write(table);
    }

    public static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
