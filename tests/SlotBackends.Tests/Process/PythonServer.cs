using FuncScaler.SlotBackends.Http;
using FuncScaler.SlotBackends.Process;

namespace FuncScaler.Tests.Processes;

/// <summary>A function that behaves as badly as its path or environment says, in Python.</summary>
internal static class PythonServer
{
    private const string Script = """
        import http.server, json, mmap, os, subprocess, sys
        def daemon(clear):
            # As daemons are made: a child that leaves its parent, its session and its process group.
            reader, writer = os.pipe()
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    os.write(writer, str(os.getpid()).encode())
                    os.execve('/bin/sleep', ['sleep', '1000'], {} if clear else dict(os.environ))
                os._exit(0)
            os.wait()
            return int(os.read(reader, 20))
        daemons = []
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path == '/daemon': daemons.append(daemon(False))
                if self.path == '/detached': daemons.append(daemon(True))
                if self.path == '/shared':
                    memory = mmap.mmap(-1, 600 << 20)
                    for i in range(0, 600 << 20, 4096): memory[i] = 1
                if self.path == '/many':
                    try:
                        for i in range(100): daemons.append(subprocess.Popen(['sleep', '1000']).pid)
                    except OSError: pass
                if self.path == '/exit': os._exit(7)
                body = json.dumps({'env': dict(os.environ), 'pid': os.getpid(), 'daemons': daemons}).encode()
                self.send_response(200); self.end_headers(); self.wfile.write(body)
            def log_message(self, *arguments): pass
        print('ready', file=sys.stderr, flush=True)
        http.server.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
        """;

    public static ProcessCommand Command { get; } = Running(Script);

    /// <summary>Another script.</summary>
    public static ProcessCommand Running(string script) => new()
    {
        Command = [Python.Path ?? "python3", "-S", "-c", script],
        Start = new InstanceStart { Timeout = TimeSpan.FromSeconds(30), PollDelay = TimeSpan.FromMilliseconds(10) },
    };
}

/// <summary>A test that needs control groups that limit memory and processes, and Python 3.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class LimitedFactAttribute : FactAttribute
{
    public LimitedFactAttribute() => Skip = Python.Missing ?? Needs.Limits;
}

/// <summary>What this machine lacks; null for nothing.</summary>
internal static class Needs
{
    private static readonly Lazy<(bool Groups, bool Limits, string? Why)> Cgroups = new(() => FindAsync().GetAwaiter().GetResult());

    /// <summary>Whether control groups keep instances together here.</summary>
    public static bool HasGroups => Cgroups.Value.Groups;

    public static string? Limits => Cgroups.Value.Limits ? null : $"no control groups limit memory and processes here ({Cgroups.Value.Why ?? "no controllers"})";

    private static async Task<(bool Groups, bool Limits, string? Why)> FindAsync()
    {
        var (groups, why) = await ControlGroups.OpenAsync($"funcscaler-test-{Guid.NewGuid():N}", _ => Task.FromResult(true));
        groups?.Remove();
        return (groups is not null, groups is { LimitsMemory: true, LimitsProcesses: true }, why);
    }
}
