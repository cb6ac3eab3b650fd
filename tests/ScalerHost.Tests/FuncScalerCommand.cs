using System.Text;
using FuncScaler.ScalerHost.Commands;

namespace FuncScaler.Tests;

/// <summary>
/// The command line within the tests' own process: a process of its own costs a second, of which most is compiling. What a process alone
/// can show (signals, a file that is loaded, a command that goes on) is in <see cref="FuncScalerProcess"/>.
/// </summary>
internal static class FuncScalerCommand
{
    private static readonly AsyncLocal<Printed?> Printing = new();

    static FuncScalerCommand()
    {
        Console.SetOut(new OwnWriter(Console.Out, printed => printed.Output));
        Console.SetError(new OwnWriter(Console.Error, printed => printed.Errors));
    }

    /// <summary>Runs a command that ends by itself.</summary>
    public static async Task<(int ExitCode, string Output, string Errors)> RunAsync(params string[] arguments)
    {
        var printed = new Printed(new StringWriter(), new StringWriter());
        Printing.Value = printed;
        var exitCode = await Task.Run(() => CommandLine.RunAsync(arguments, Console.Error)).WaitAsync(TimeSpan.FromMinutes(2));
        Printing.Value = null;
        lock (printed)
        {
            return (exitCode, printed.Output.ToString(), printed.Errors.ToString());
        }
    }

    private sealed record Printed(StringWriter Output, StringWriter Errors);

    /// <summary>Writes what a command prints, and all that it starts, to this command's own text.</summary>
    private sealed class OwnWriter(TextWriter others, Func<Printed, StringWriter> own) : TextWriter
    {
        public override Encoding Encoding => Encoding.UTF8;

        public override void Write(char value) => Write(stackalloc char[] { value });

        public override void Write(char[] buffer, int index, int count) => Write(buffer.AsSpan(index, count));

        public override void Write(string? value) => Write(value.AsSpan());

        public override void Write(ReadOnlySpan<char> buffer)
        {
            if (Printing.Value is not { } printed)
            {
                others.Write(buffer);
                return;
            }

            lock (printed)
            {
                own(printed).Write(buffer);
            }
        }
    }
}
