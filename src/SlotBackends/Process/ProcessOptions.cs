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

    /// <summary>How instances are kept together, so that nothing of one outlives it.</summary>
    /// <value>The default is <see cref="ProcessIsolation.Auto"/>.</value>
    public ProcessIsolation Isolation { get; init; } = ProcessIsolation.Auto;

    /// <summary>
    /// Whether the operating system holds each instance to its function's memory: all of it by its control group, or else the writable
    /// private memory of each of its processes by RLIMIT_DATA. Linux only.
    /// </summary>
    public bool LimitMemory { get; init; } = true;

    /// <summary>The most processes and threads of an instance, where control groups limit them; 0 for no limit.</summary>
    /// <value>The default is 512.</value>
    public int MaxProcesses { get; init; } = 512;

    /// <summary>
    /// The names of variables of the scaler's own environment that instances see as well. They always see where programs and folders are
    /// and the language (PATH, HOME, USER, LOGNAME, LANG, LANGUAGE, LC_*, TZ, TMPDIR, DOTNET_ROOT, JAVA_HOME), and nothing else.
    /// </summary>
    public IReadOnlyList<string> PassEnvironment { get; init; } = [];

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

        if (MaxMemoryMb < 0 || MemoryHeadroomMb < 0 || MaxProcesses < 0)
        {
            errors.Add("maxMemoryMb, memoryHeadroomMb and maxProcesses must be 0 or more.");
        }

        if (PassEnvironment.Any(name => string.IsNullOrWhiteSpace(name) || name.Contains('=', StringComparison.Ordinal)))
        {
            errors.Add("passEnvironment holds the names of environment variables, without values: a value is set in a function's environment.");
        }

        return errors;
    }
}

/// <summary>How the processes of an instance are kept together.</summary>
public enum ProcessIsolation
{
    /// <summary>By control groups where the scaler may use them, else by <see cref="Tree"/>.</summary>
    Auto,

    /// <summary>By control groups of version 2; without them nothing is started.</summary>
    Cgroup,

    /// <summary>
    /// By their session, their descent and a mark in their environment. Finds daemons, but not one that detaches itself within a second and
    /// clears its environment as well.
    /// </summary>
    Tree,
}

/// <summary>How an instance is started.</summary>
public sealed record ProcessCommand
{
    /// <summary>The program and its arguments. It serves HTTP on 127.0.0.1 and the port in the environment variable PORT.</summary>
    public IReadOnlyList<string> Command { get; init; } = [];

    /// <summary>The folder it runs in; empty for the scaler's own.</summary>
    public string Directory { get; init; } = "";

    /// <summary>Environment variables, beside the few that instances always see (<see cref="ProcessOptions.PassEnvironment"/>).</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>How it is made ready.</summary>
    public InstanceStart Start { get; init; } = new() { Timeout = TimeSpan.FromSeconds(30), PollDelay = TimeSpan.FromMilliseconds(10) };

    /// <summary>What it is told in POST /init, where <see cref="Start"/> says so.</summary>
    public FunctionCode Code { get; init; } = new();
}
