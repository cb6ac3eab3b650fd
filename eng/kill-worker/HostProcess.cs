using System.Diagnostics;

namespace FuncScaler.KillWorker;

/// <summary>The Functions host, its output in a file, and the workers that it has started.</summary>
internal sealed class HostProcess : IDisposable
{
    private readonly Process _process;
    private readonly string _match;

    public HostProcess(string command, string match, IReadOnlyDictionary<string, string> settings, string log)
    {
        _match = match;
        var start = new ProcessStartInfo("/bin/sh") { ArgumentList = { "-c", $"exec {command} >'{log}' 2>&1 </dev/null" } };
        foreach (var (name, value) in settings)
        {
            start.Environment[name] = value;
        }

        _process = Process.Start(start)!;
    }

    public bool HasExited => _process.HasExited;

    /// <summary>Process ids of the workers that live: children of the host, theirs included, with a fitting command line.</summary>
    public IReadOnlyList<int> Workers()
    {
        var parents = new Dictionary<int, int>();
        var commands = new Dictionary<int, string>();
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(folder), out var id))
            {
                continue;
            }

            try
            {
                // "pid (name) state parent …"; the name may hold anything, so the last bracket counts.
                var stat = File.ReadAllText($"{folder}/stat");
                parents[id] = int.Parse(stat[(stat.LastIndexOf(')') + 4)..].Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture);
                commands[id] = File.ReadAllText($"{folder}/cmdline");
            }
            catch (IOException)
            {
                // Gone meanwhile.
            }
        }

        return [.. commands.Where(c => c.Value.Contains(_match, StringComparison.Ordinal) && c.Key != _process.Id && IsOurs(c.Key)).Select(c => c.Key).Order()];

        bool IsOurs(int id)
        {
            while (id > 1 && parents.TryGetValue(id, out var parent))
            {
                if (parent == _process.Id)
                {
                    return true;
                }

                id = parent;
            }

            return false;
        }
    }

    /// <summary>Ends a worker as a crash would.</summary>
    public static void Kill(int worker) => Signal(worker, "KILL");

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            Signal(_process.Id, "TERM");
            if (!_process.WaitForExit(15_000))
            {
                _process.Kill(entireProcessTree: true);
            }
        }

        _process.Dispose();
    }

    private static void Signal(int id, string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }
}
