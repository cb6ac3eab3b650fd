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
        await using var running = Start(arguments);
        return await running.WaitAsync();
    }

    /// <summary>Starts a command that goes on until it is disposed of, which stops it as a signal does.</summary>
    public static Running Start(params string[] arguments)
    {
        var printed = new Printed(new StringWriter(), new StringWriter());
        var stopping = new CancellationTokenSource();
        Printing.Value = printed;
        var end = Task.Run(() => CommandLine.RunAsync(arguments, Console.Error, stopping.Token));
        Printing.Value = null;
        return new Running(end, printed, stopping);
    }

    /// <summary>A command that was started, with the face of <see cref="FuncScalerProcess"/>.</summary>
    internal sealed class Running(Task<int> end, Printed printed, CancellationTokenSource stopping) : IAsyncDisposable
    {
        private int _read;

        /// <summary>The next line on standard output; null at its end.</summary>
        public async Task<string?> ReadLineAsync()
        {
            string? line = null;
            await Eventually.HoldsAsync(() => (line = Next()) is not null || end.IsCompleted);
            return line ?? Next();
        }

        public async Task<(int ExitCode, string Output, string Errors)> WaitAsync()
        {
            var exitCode = await end.WaitAsync(TimeSpan.FromMinutes(2));
            lock (printed)
            {
                return (exitCode, printed.Output.ToString(), printed.Errors.ToString());
            }
        }

        public async ValueTask DisposeAsync()
        {
            await stopping.CancelAsync();
            await end.WaitAsync(TimeSpan.FromMinutes(2));
            stopping.Dispose();
        }

        private string? Next()
        {
            lock (printed)
            {
                var text = printed.Output.ToString();
                if (text.IndexOf('\n', _read) is var at && at < 0)
                {
                    return null;
                }

                var line = text[_read..at];
                _read = at + 1;
                return line;
            }
        }
    }

    internal sealed record Printed(StringWriter Output, StringWriter Errors);

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
