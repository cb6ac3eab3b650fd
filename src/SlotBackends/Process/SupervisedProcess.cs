using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace FuncScaler.SlotBackends.Process;

/// <summary>
/// A child process that ends with its parent, however the parent ends, and that the operating system holds to its memory. On Windows it is
/// a plain child process: neither holds there.
/// </summary>
/// <remarks>
/// A shell sets the limit, leaves a watcher behind and becomes the command. The watcher reads from a pipe that only the parent writes to:
/// when the parent is gone, even by SIGKILL, the kernel closes the pipe, and the watcher kills the process group. (PR_SET_PDEATHSIG would
/// follow the thread that started the process, and threads of a pool come and go.)
/// </remarks>
internal sealed class SupervisedProcess : IDisposable
{
    private const int LinesKept = 20;
    private const int SigTerm = 15;
    private const int SigKill = 9;

    // $1: the limit in KB, 0 for none; $2: the target of kill, "group" for the whole process group; then the command.
    private const string Shell = """
        [ "$1" -gt 0 ] && ulimit -d "$1" 2>/dev/null
        if [ "$2" = group ]; then target=-$$; else target=$$; fi
        shift 2
        exec 3<&0
        { trap '' TERM INT HUP; read -r _; kill -KILL "$target"; } <&3 >/dev/null 2>&1 &
        exec "$@" </dev/null 3<&-
        """;

    private static readonly string? SetSid = FindSetSid();

    private readonly System.Diagnostics.Process _process;
    private readonly Queue<string> _lastLines = new();
    private readonly bool _group;

    private SupervisedProcess(System.Diagnostics.Process process, bool group)
    {
        _process = process;
        _group = group;
        _process.OutputDataReceived += (_, line) => Keep(line.Data);
        _process.ErrorDataReceived += (_, line) => Keep(line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    /// <summary>The last lines it has printed.</summary>
    public string LastLines
    {
        get
        {
            lock (_lastLines)
            {
                return string.Join('\n', _lastLines);
            }
        }
    }

    /// <summary>How it ended.</summary>
    public int ExitCode => _process.ExitCode;

    /// <exception cref="Win32Exception">The program does not exist, or cannot be run.</exception>
    public static SupervisedProcess Start(ProcessCommand command, IReadOnlyDictionary<string, string> environment, int limitMb)
    {
        var start = new ProcessStartInfo
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            WorkingDirectory = command.Directory,
        };
        var group = false;
        if (OperatingSystem.IsWindows())
        {
            start.FileName = command.Command[0];
        }
        else
        {
            group = SetSid is not null;
            start.FileName = SetSid ?? "/bin/sh";
            foreach (var argument in (string[])[.. group ? ["/bin/sh"] : Array.Empty<string>(), "-c", Shell, "sh", (limitMb * 1024L).ToString(System.Globalization.CultureInfo.InvariantCulture), group ? "group" : "process", command.Command[0]])
            {
                start.ArgumentList.Add(argument);
            }
        }

        foreach (var argument in command.Command.Skip(1))
        {
            start.ArgumentList.Add(argument);
        }

        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        return new SupervisedProcess(System.Diagnostics.Process.Start(start)!, group);
    }

    /// <summary>Asks it to end, and kills it and its children if it has not after a time.</summary>
    public async Task StopAsync(TimeSpan patience, TimeProvider time, CancellationToken cancellationToken)
    {
        if (!_process.HasExited && !OperatingSystem.IsWindows())
        {
            Signal(SigTerm);
            using var limit = new CancellationTokenSource(patience, time);
            using var linked = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
            try
            {
                await _process.WaitForExitAsync(linked.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                // Killed next.
            }
        }

        Kill();
        await _process.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
    }

    /// <summary>Ends it and its children at once.</summary>
    public void Kill()
    {
        if (_group)
        {
            // Also when it has ended by itself: the watcher, and children it may have left, are of its group.
            Signal(SigKill);
        }
        else if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
        }
    }

    public void Dispose() => _process.Dispose();

    [DllImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int SendSignal(int pid, int signal);

    private static string? FindSetSid() =>
        OperatingSystem.IsWindows() ? null : Array.Find(["/usr/bin/setsid", "/bin/setsid"], File.Exists);

    private void Signal(int signal) => _ = SendSignal(_group ? -_process.Id : _process.Id, signal);

    private void Keep(string? line)
    {
        if (line is null)
        {
            return;
        }

        lock (_lastLines)
        {
            _lastLines.Enqueue(line);
            if (_lastLines.Count > LinesKept)
            {
                _lastLines.Dequeue();
            }
        }
    }
}
