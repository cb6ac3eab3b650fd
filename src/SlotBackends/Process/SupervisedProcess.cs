using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;

namespace FuncScaler.SlotBackends.Process;

/// <summary>What the operating system holds a process to.</summary>
/// <param name="Group">Its control group; null where there are none.</param>
/// <param name="DataMb">The most writable private memory of each of its processes, MB; 0 for no limit.</param>
internal readonly record struct ProcessLimits(ControlGroup? Group, int DataMb);

/// <summary>
/// A child process of the scaler that ends with it, however the scaler ends, and all that has come from it. On Windows it is a plain child
/// process: neither holds there.
/// </summary>
/// <remarks>
/// A shell leaves a watcher behind, enters the control group and becomes the command, in a session of its own. The watcher is no child of the
/// command, and is in a session of its own too. It reads from a pipe that only the scaler writes to: when the scaler is gone, even by SIGKILL, the
/// kernel closes the pipe, and the watcher kills the control group, the process group and whatever has the process's mark in its environment.
/// (PR_SET_PDEATHSIG would follow the thread that started the process, and threads of a pool come and go.)
/// </remarks>
internal sealed class SupervisedProcess : IAsyncDisposable
{
    /// <summary>The variable that every process of an instance inherits.</summary>
    private const string Mark = "FUNCSCALER_PROCESS";

    // $1: the limit in KB, 0 for none; $2: the mark; $3: setsid, empty where there is none; $4: the watcher; $5: the folders of the control group,
    // one a line; $6: the file that kills it; then the command.
    private const string Shell = """
        limit=$1 mark=$2 setsid=$3 watch=$4 folders=$5 kill=$6
        shift 6
        exec 3<&0 </dev/null
        ( $setsid /bin/sh -c "$watch" watch "$$" "$mark" "$kill" "$folders" <&3 3<&- >/dev/null 2>&1 & )
        exec 3<&-
        [ "$limit" -gt 0 ] && ulimit -d "$limit" 2>/dev/null
        IFS='
        '
        for folder in $folders; do echo "$$" >"$folder/cgroup.procs" || exit 125; done
        unset IFS
        export FUNCSCALER_PROCESS="$mark"
        exec $setsid "$@"
        """;

    // A line from the scaler says that it has done all this by itself.
    private const string Watch = """
        trap '' TERM INT HUP
        if read -r _; then exit 0; fi
        kill -KILL "$1"
        kill -KILL -- "-$1"
        if [ -n "$3" ]; then echo 1 >"$3"; fi
        n=0
        while [ $n -lt 100 ]; do
          found=$(grep -lsaF "FUNCSCALER_PROCESS=$2" /proc/[0-9]*/environ)
          if [ -z "$found" ]; then break; fi
          for file in $found; do pid=${file#/proc/}; kill -KILL "${pid%/environ}"; done
          n=$((n + 1))
          sleep 0.02
        done
        IFS='
        '
        n=0
        for folder in $4; do
          until rmdir "$folder" || [ ! -d "$folder" ] || [ $n -ge 100 ]; do n=$((n + 1)); sleep 0.02; done
          rmdir "${folder%/*}"
        done
        """;

    private static readonly TimeSpan LastWords = TimeSpan.FromMilliseconds(500);
    private static readonly string? SetSid = FindSetSid();

    private readonly System.Diagnostics.Process _process;
    private readonly ProcessLimits _limits;
    private readonly ProcessTree? _tree;
    private readonly TimeProvider _time;
    private readonly OutputTail _output;
    private readonly OutputTail _errors;
    private readonly CancellationTokenSource _unheard = new();
    private readonly Task _reading;
    private volatile bool _hasExited;
    private bool _ranOutOfMemory;

    private SupervisedProcess(System.Diagnostics.Process process, string mark, ProcessLimits limits, TimeProvider time, Action<string, string> onLine)
    {
        _output = new OutputTail(line => onLine("stdout", line));
        _errors = new OutputTail(line => onLine("stderr", line));
        _process = process;
        _limits = limits;
        _time = time;
        Id = process.Id;
        if (limits.Group is null && OperatingSystem.IsLinux())
        {
            _tree = new ProcessTree(FindRoot(Id), $"{Mark}={mark}");
        }

        _reading = Task.WhenAll(
            _output.ReadAsync(process.StandardOutput.BaseStream, time, _unheard.Token),
            _errors.ReadAsync(process.StandardError.BaseStream, time, _unheard.Token));
        Ended = EndAsync();
    }

    public int Id { get; }

    public bool HasExited => _hasExited;

    /// <summary>How it ended, once <see cref="Ended"/>; for a signal 128 and its number.</summary>
    public int ExitCode { get; private set; }

    /// <summary>Completes when it has ended and nothing of it is left.</summary>
    public Task Ended { get; }

    /// <summary>How it ended and the last it has printed, on one line, once <see cref="Ended"/>.</summary>
    public string Story
    {
        get
        {
            var how = _ranOutOfMemory ? $"exit code {ExitCode}: it took more memory than it may have" : $"exit code {ExitCode}";
            var words = _errors.Words is { Length: > 0 } errors ? errors : _output.Words;
            return words.Length > 0 ? $"{how} ({words})" : how;
        }
    }

    /// <param name="command">What is started.</param>
    /// <param name="environment">All of its environment.</param>
    /// <param name="limits">What it is held to.</param>
    /// <param name="time">The clock.</param>
    /// <param name="onLine">Told each line that it prints, with the name of the stream.</param>
    /// <exception cref="Win32Exception">The operating system cannot start it.</exception>
    public static SupervisedProcess Start(
        ProcessCommand command, IReadOnlyDictionary<string, string> environment, ProcessLimits limits, TimeProvider time, Action<string, string> onLine)
    {
        var start = new ProcessStartInfo
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            WorkingDirectory = command.Directory,
        };
        var mark = Guid.NewGuid().ToString("N");
        if (OperatingSystem.IsWindows())
        {
            start.FileName = command.Command[0];
        }
        else
        {
            start.FileName = "/bin/sh";
            foreach (var argument in (string[])
                [
                    "-c", Shell, "sh",
                    (limits.DataMb * 1024L).ToString(CultureInfo.InvariantCulture),
                    mark,
                    SetSid ?? "",
                    Watch,
                    string.Join('\n', limits.Group?.Folders ?? []),
                    limits.Group?.KillFile ?? "",
                    command.Command[0],
                ])
            {
                start.ArgumentList.Add(argument);
            }
        }

        foreach (var argument in command.Command.Skip(1))
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment.Clear();
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        return new SupervisedProcess(System.Diagnostics.Process.Start(start)!, mark, limits, time, onLine);
    }

    /// <summary>Asks it to end, and kills it and all that has come from it if it has not after a time.</summary>
    public async Task StopAsync(TimeSpan patience, CancellationToken cancellationToken)
    {
        if (patience > TimeSpan.Zero && !_hasExited && !OperatingSystem.IsWindows())
        {
            Signal(ProcessCalls.SigTerm);
            try
            {
                await Ended.WaitAsync(patience, _time, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (e is TimeoutException or OperationCanceledException)
            {
                // Killed next.
            }
        }

        Kill();
        await Ended.ConfigureAwait(false);
    }

    /// <summary>Ends it at once; what has come from it follows.</summary>
    public void Kill()
    {
        _limits.Group?.Kill();
        if (!_hasExited)
        {
            if (OperatingSystem.IsWindows() || SetSid is null)
            {
                _process.Kill(entireProcessTree: true);
            }
            else
            {
                Signal(ProcessCalls.SigKill);
            }
        }
    }

    /// <summary>Whether it depends on <see cref="Look"/>.</summary>
    public bool NeedsLooks => _tree is not null && !_hasExited;

    /// <summary>Remembers who is of it now, where there is no control group that does.</summary>
    public void Look(List<ListedProcess> table) => _tree?.Look(table);

    /// <summary>Lets go of what has ended.</summary>
    public async ValueTask DisposeAsync()
    {
        await _unheard.CancelAsync().ConfigureAwait(false);
        await _reading.ConfigureAwait(false);
        var isGone = _limits.Group is not { } group || await group.RemoveAsync(_time).ConfigureAwait(false);
        try
        {
            if (isGone)
            {
                // Nothing is left for the watcher to do.
                await _process.StandardInput.WriteLineAsync().ConfigureAwait(false);
            }

            _process.StandardInput.Close();
        }
        catch (IOException)
        {
            // The watcher has ended.
        }

        _process.StandardOutput.Dispose();
        _process.StandardError.Dispose();
        _process.Dispose();
        _unheard.Dispose();
    }

    private static string? FindSetSid() =>
        OperatingSystem.IsWindows() ? null : Array.Find(["/usr/bin/setsid", "/bin/setsid"], File.Exists);

    /// <summary>The process as it is listed; only its id where it has ended already, or there are no files to look with.</summary>
    private static ListedProcess FindRoot(int id)
    {
        try
        {
            return ProcessTable.Find(id) ?? new ListedProcess { Id = id };
        }
        catch (IOException)
        {
            return new ListedProcess { Id = id };
        }
    }

    private async Task EndAsync()
    {
        await _process.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
        ExitCode = _process.ExitCode;
        _hasExited = true;
        _ranOutOfMemory = _limits.Group is { RanOutOfMemory: true };
        _limits.Group?.Kill();
        if (!OperatingSystem.IsWindows() && SetSid is not null)
        {
            _ = ProcessCalls.SendSignal(-Id, ProcessCalls.SigKill);
        }

        if (_tree is not null)
        {
            await _tree.KillAsync(_time).ConfigureAwait(false);
        }

        try
        {
            // What it has printed last may still be in the pipes.
            await _reading.WaitAsync(LastWords, _time).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // Somebody else has the other end.
        }
    }

    /// <summary>Signals its process group; the process alone until it has made that.</summary>
    private void Signal(int signal)
    {
        if (SetSid is null || ProcessCalls.SendSignal(-Id, signal) != 0)
        {
            _ = ProcessCalls.SendSignal(Id, signal);
        }
    }
}
