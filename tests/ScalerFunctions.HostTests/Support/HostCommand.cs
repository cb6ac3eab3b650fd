using System.Diagnostics;
using System.Globalization;

namespace FuncScaler.Tests;

/// <summary>The stand-in as a process of its own, which can be killed.</summary>
internal sealed class HostCommand : IAsyncDisposable
{
    private readonly Process _process;
    private readonly int[] _workers;

    private HostCommand(Process process, Uri url, int[] workers)
    {
        _process = process;
        Url = url;
        _workers = workers;
    }

    public Uri Url { get; }

    public static async Task<HostCommand> StartAsync(string storage, string hub, int port, IReadOnlyDictionary<string, string> settings)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true };
        string[] arguments =
        [
            Path.Combine(AppContext.BaseDirectory, "functions-host.dll"), "--app", App.Folder, "--storage", storage, "--hub", hub,
            "--http-port", port.ToString(CultureInfo.InvariantCulture), .. settings.SelectMany(s => new[] { "--setting", $"{s.Key}={s.Value}" }),
        ];
        Array.ForEach(arguments, start.ArgumentList.Add);
        var process = Process.Start(start)!;
        using var limit = new CancellationTokenSource(App.Limit);
        while (true)
        {
            var line = await process.StandardOutput.ReadLineAsync(limit.Token)
                ?? throw new InvalidOperationException("The host has ended before it was ready.");
            if (line.Split(' ') is ["ready", var url, "workers", var workers])
            {
                return new HostCommand(process, new Uri(url), [.. workers.Split(',').Select(w => int.Parse(w, CultureInfo.InvariantCulture))]);
            }
        }
    }

    /// <summary>Ends the host alone; its workers are orphans.</summary>
    public void Kill() => _process.Kill();

    /// <summary>Waits until the workers have ended by themselves.</summary>
    public Task WorkersEndAsync() => Waiting.UntilAsync("every worker has ended itself", App.Limit, () => !_workers.Any(Lives));

    /// <summary>Ends host and workers at once, as losing the machine does.</summary>
    public void KillWithWorkers()
    {
        _process.Kill();
        foreach (var worker in _workers)
        {
            try
            {
                using var process = Process.GetProcessById(worker);
                process.Kill();
            }
            catch (ArgumentException)
            {
                // It has ended by itself.
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        KillWithWorkers();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private static bool Lives(int id)
    {
        try
        {
            using var process = Process.GetProcessById(id);
            return !process.HasExited;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }
}
