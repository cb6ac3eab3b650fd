using System.Diagnostics;

namespace FuncScaler.Tests;

/// <summary>The command line as users run it: a process, its exit code, and what it prints.</summary>
internal sealed class FuncScalerProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly Task<string> _errors;

    private FuncScalerProcess(Process process)
    {
        _process = process;
        _errors = process.StandardError.ReadToEndAsync();
    }

    public int Id => _process.Id;

    public static FuncScalerProcess Start(params string[] arguments) => Start(["dotnet", "exec", Dll], arguments);

    /// <summary>Starts it where it may have so many files, sockets and pipes open at most.</summary>
    public static FuncScalerProcess StartWithin(int descriptors, params string[] arguments) =>
        Start(["/bin/sh", "-c", $"ulimit -n {descriptors} && exec \"$@\"", "sh", "dotnet", "exec", Dll], arguments);

    private static string Dll { get; } = Path.Combine(AppContext.BaseDirectory, "funcscaler.dll");

    private static FuncScalerProcess Start(string[] command, string[] arguments)
    {
        var start = new ProcessStartInfo(command[0])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,

            // It counts what is worth optimising, which costs a short life more than it gives.
            Environment = { ["DOTNET_TieredPGO"] = "0" },
        };
        foreach (var argument in command.Skip(1).Concat(arguments))
        {
            start.ArgumentList.Add(argument);
        }

        return new FuncScalerProcess(Process.Start(start)!);
    }

    public static async Task<(int ExitCode, string Output, string Errors)> RunAsync(params string[] arguments)
    {
        await using var process = Start(arguments);
        return await process.WaitAsync();
    }

    /// <summary>The next line on standard output; null at its end.</summary>
    public Task<string?> ReadLineAsync() => _process.StandardOutput.ReadLineAsync();

    public async Task<(int ExitCode, string Output, string Errors)> WaitAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        var output = await _process.StandardOutput.ReadToEndAsync(limit.Token);
        await _process.WaitForExitAsync(limit.Token);
        return (_process.ExitCode, output, await _errors);
    }

    /// <summary>Asks it to stop, as Ctrl+C or a container runtime does.</summary>
    public void Terminate()
    {
        using var kill = Process.Start("kill", ["-TERM", _process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    public void Kill() => _process.Kill();

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
    }
}
