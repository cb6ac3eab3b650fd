using FuncScaler.SlotBackends.Http;
using FuncScaler.SlotBackends.Settings;

namespace FuncScaler.SlotBackends.Process;

/// <summary>Settings of a <see cref="ProcessBackend"/>.</summary>
public sealed record ProcessOptions
{
    /// <summary>The most processes that Linux can have (PID_MAX_LIMIT).</summary>
    private const int MostProcesses = 4_194_304;

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
    /// <value>0 to 4,194,304. The default is 512.</value>
    public int MaxProcesses { get; init; } = 512;

    /// <summary>
    /// The names of variables of the scaler's own environment that instances see as well. They always see where programs and folders are
    /// and the language (PATH, HOME, USER, LOGNAME, LANG, LANGUAGE, LC_*, TZ, TMPDIR, DOTNET_ROOT, JAVA_HOME), and nothing else.
    /// </summary>
    public IReadOnlyList<string> PassEnvironment { get; init; } = [];

    /// <summary>What a process may have beyond its function's memory, MB: stacks and what its runtime sets aside.</summary>
    /// <value>0 to 1,048,576. The default is 64.</value>
    public int MemoryHeadroomMb { get; init; } = 64;

    /// <summary>How long a process may take to end after it was asked to, before it is killed.</summary>
    /// <value>0 to 10 minutes. The default is 3 s.</value>
    public TimeSpan StopTimeout { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>A sentence for each thing that is wrong, naming the setting as it is written in JSON; empty when all is well.</summary>
    public IReadOnlyList<string> Check()
    {
        var errors = new SettingErrors();
        if (Functions.Count + Runtimes.Count == 0)
        {
            errors.Add("functions and runtimes are empty: name a command for at least one, as {\"functions\": {\"hello\": {\"command\": [\"node\", \"hello.mjs\"]}}}.");
        }

        foreach (var (where, command) in Functions.Select(f => ($"functions.{f.Key}", f.Value)).Concat(Runtimes.Select(r => ($"runtimes.{r.Key}", r.Value))))
        {
            errors.Require(
                command.Command.Count > 0 && !string.IsNullOrWhiteSpace(command.Command[0]),
                $"{where}.command",
                command.Command.Count > 0 ? command.Command[0] : "",
                "is no command",
                "write the program and its arguments, as [\"node\", \"hello.mjs\"]");
            errors.Require(
                command.Directory.Length == 0 || Directory.Exists(command.Directory),
                $"{where}.directory",
                command.Directory,
                "is no folder",
                "write the folder that the command is to run in, relative to this file, or leave it out");
            command.Start.Check(errors, $"{where}.start");
            errors.Range($"{where}.call.memoryMb", command.Call.MemoryMb, 1, 1 << 20);
            errors.Range($"{where}.call.timeoutSeconds", command.Call.TimeoutSeconds, 1, 3600);
            errors.Range($"{where}.call.concurrency", command.Call.Concurrency, 1, FunctionMeta.MostConcurrency);
        }

        errors.Range("maxMemoryMb", MaxMemoryMb, 0, int.MaxValue);
        errors.Range("memoryHeadroomMb", MemoryHeadroomMb, 0, 1 << 20);
        errors.Range("maxProcesses", MaxProcesses, 0, MostProcesses);
        errors.Range("stopTimeout", StopTimeout, TimeSpan.Zero, TimeSpan.FromMinutes(10));
        foreach (var name in PassEnvironment)
        {
            errors.Require(
                !string.IsNullOrWhiteSpace(name) && !name.Contains('=', StringComparison.Ordinal),
                "passEnvironment",
                name,
                "is no variable's name",
                "write names without values; a value is set in a function's environment");
        }

        return errors.Sentences;
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

    /// <summary>How gateways call it. The backend itself starts what a request asks for.</summary>
    public FunctionCallSettings Call { get; init; } = new();
}

/// <summary>What a gateway that reads the same file asks the scaler for.</summary>
public sealed record FunctionCallSettings
{
    /// <summary>The memory of an instance, MB.</summary>
    /// <value>1 to 1,048,576. The default is 256.</value>
    public int MemoryMb { get; init; } = 256;

    /// <summary>How long one request may take, s.</summary>
    /// <value>1 to 3,600. The default is 30.</value>
    public int TimeoutSeconds { get; init; } = 30;

    /// <summary>How many requests an instance serves at a time.</summary>
    /// <value>1 to 1,000. The default is 1.</value>
    public int Concurrency { get; init; } = 1;

    /// <summary>The function at whose scaler its requests are to meet, where there are several: that of the function which it follows.</summary>
    /// <value>A function's key. The default is none: its own.</value>
    public string? With { get; init; }
}
