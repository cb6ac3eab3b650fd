using FuncScaler.SlotBackends.Http;

namespace FuncScaler.SlotBackends.Process;

/// <summary>Settings of a <see cref="ProcessBackend"/>.</summary>
public sealed record ProcessOptions
{
    /// <summary>The command of each function, by its key.</summary>
    public IReadOnlyDictionary<string, ProcessCommand> Functions { get; init; } = new Dictionary<string, ProcessCommand>();

    /// <summary>The command of each runtime, for functions without one of their own.</summary>
    public IReadOnlyDictionary<string, ProcessCommand> Runtimes { get; init; } = new Dictionary<string, ProcessCommand>();

    /// <summary>The memory that all slots together may be promised, MB; 0 for no limit.</summary>
    public int MaxMemoryMb { get; init; }

    /// <summary>Whether the operating system holds each process to its function's memory (Linux: its writable memory, by RLIMIT_DATA).</summary>
    public bool LimitMemory { get; init; } = true;

    /// <summary>What a process may have beyond its function's memory, MB: stacks and what its runtime sets aside.</summary>
    public int MemoryHeadroomMb { get; init; } = 64;

    /// <summary>How long a process may take to end after it was asked to, before it is killed.</summary>
    public TimeSpan StopTimeout { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>A sentence for each thing that is wrong, naming the setting as it is written in JSON; empty when all is well.</summary>
    public IReadOnlyList<string> Check()
    {
        var errors = new List<string>();
        if (Functions.Count + Runtimes.Count == 0)
        {
            errors.Add("functions and runtimes are empty: name a command for at least one, as {\"functions\": {\"hello\": {\"command\": [\"node\", \"hello.mjs\"]}}}.");
        }

        foreach (var (setting, name, command) in Functions.Select(f => ("functions", f.Key, f.Value)).Concat(Runtimes.Select(r => ("runtimes", r.Key, r.Value))))
        {
            if (command is null || command.Command.Count == 0 || string.IsNullOrWhiteSpace(command.Command[0]))
            {
                errors.Add($"{setting}: '{name}' has no command: write the program and its arguments, as [\"node\", \"hello.mjs\"].");
            }
            else if (command.Directory.Length > 0 && !Directory.Exists(command.Directory))
            {
                errors.Add($"{setting}: '{name}' is to run in {command.Directory}, which is no folder.");
            }
            else if (command.Start.Timeout <= TimeSpan.Zero || command.Start.PollDelay <= TimeSpan.Zero)
            {
                errors.Add($"{setting}: '{name}' has a start.timeout or start.pollDelay that is not more than 0.");
            }
        }

        if (MaxMemoryMb < 0 || MemoryHeadroomMb < 0)
        {
            errors.Add("maxMemoryMb and memoryHeadroomMb must be 0 or more.");
        }

        return errors;
    }
}

/// <summary>How an instance is started.</summary>
public sealed record ProcessCommand
{
    /// <summary>The program and its arguments. It serves HTTP on 127.0.0.1 and the port in the environment variable PORT.</summary>
    public IReadOnlyList<string> Command { get; init; } = [];

    /// <summary>The folder it runs in; empty for the scaler's own.</summary>
    public string Directory { get; init; } = "";

    /// <summary>Further environment variables.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>How it is made ready.</summary>
    public InstanceStart Start { get; init; } = new() { Timeout = TimeSpan.FromSeconds(30), PollDelay = TimeSpan.FromMilliseconds(10) };

    /// <summary>What it is told in POST /init, where <see cref="Start"/> says so.</summary>
    public FunctionCode Code { get; init; } = new();
}
