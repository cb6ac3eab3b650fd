using System.Globalization;

namespace FuncScaler.SlotBackends.Process;

/// <summary>
/// Linux control groups, one for each instance: no process leaves the one it was born in, so all of an instance can be counted, limited and
/// killed together, whatever sessions or daemons it makes of itself.
/// </summary>
/// <remarks>
/// The scaler needs a control group of its own that it may write to: a service with <c>Delegate=yes</c>, a session of systemd's user manager,
/// or root. Killing takes version 2 (Linux 5.14). Limits are set where the controllers of memory and of processes are to be had, in version 2 or
/// beside it in version 1.
/// </remarks>
internal sealed class ControlGroups
{
    private const string Memory = "memory";
    private const string Pids = "pids";
    private const string Procs = "cgroup.procs";
    private const string KillFile = "cgroup.kill";

    private readonly string _unified;
    private readonly string? _memory;
    private readonly string? _pids;

    private ControlGroups(string unified, string? memory, string? pids)
    {
        _unified = unified;
        _memory = memory;
        _pids = pids;
    }

    /// <summary>Whether an instance's memory is limited, shared memory and files in memory included.</summary>
    public bool LimitsMemory => _memory is not null;

    /// <summary>Whether an instance's processes and threads are limited.</summary>
    public bool LimitsProcesses => _pids is not null;

    private IEnumerable<string> Folders => new[] { _unified, _memory, _pids }.OfType<string>().Distinct();

    /// <summary>Opens the scaler's own groups and makes one of this backend's in them.</summary>
    /// <param name="name">The name of the backend's group, which nobody else uses.</param>
    /// <param name="tryOut">Whether a process can be moved into a group; called with its folders.</param>
    /// <returns>The groups; or null and why there are none.</returns>
    public static async Task<(ControlGroups? Groups, string? Why)> OpenAsync(string name, Func<IReadOnlyList<string>, Task<bool>> tryOut)
    {
        if (!OperatingSystem.IsLinux())
        {
            return (null, "this system has no control groups");
        }

        try
        {
            var mounts = ControlGroupMounts.Read(await File.ReadAllLinesAsync("/proc/self/mountinfo").ConfigureAwait(false), await File.ReadAllLinesAsync("/proc/self/cgroup").ConfigureAwait(false));
            if (mounts.Unified is not { } own)
            {
                return (null, "control groups of version 2 are not mounted");
            }

            // Its own group, or the one above: systemd puts the service into a group below the delegated one where DelegateSubgroup= says so.
            ControlGroups? best = null;
            var why = "";
            foreach (var parent in new[] { own, mounts.UnifiedParent }.OfType<string>())
            {
                var (opened, reason) = await OpenAsync(parent, name, mounts, tryOut).ConfigureAwait(false);
                if (opened is null)
                {
                    why = why.Length > 0 ? why : reason!;
                }
                else if (best is null || (!best.LimitsMemory && opened.LimitsMemory))
                {
                    best?.Remove();
                    best = opened;
                }
                else
                {
                    opened.Remove();
                }

                if (best is { LimitsMemory: true })
                {
                    break;
                }
            }

            return (best, best is null ? why : null);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return (null, e.Message);
        }
    }

    /// <summary>Makes a group for an instance.</summary>
    /// <param name="name">Its name, which no other one has.</param>
    /// <param name="memoryMb">The most memory it may use, MB; 0 for no limit.</param>
    /// <param name="processes">The most processes and threads it may have; 0 for no limit.</param>
    /// <exception cref="IOException">It cannot be made.</exception>
    public ControlGroup Make(string name, int memoryMb, int processes)
    {
        var group = new ControlGroup(Path.Combine(_unified, name), [.. Folders.Select(f => Path.Combine(f, name))], _memory is null ? null : Path.Combine(_memory, name));
        try
        {
            foreach (var folder in group.Folders)
            {
                Directory.CreateDirectory(folder);
            }

            Limit(name, memoryMb, processes);
            return group;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            foreach (var folder in group.Folders)
            {
                ControlGroup.TryRemove(folder);
            }

            throw;
        }
    }

    private void Limit(string name, int memoryMb, int processes)
    {
        if (_memory is not null && memoryMb > 0)
        {
            var folder = Path.Combine(_memory, name);
            var bytes = (memoryMb * 1024L * 1024).ToString(CultureInfo.InvariantCulture);
            if (File.Exists(Path.Combine(folder, "memory.max")))
            {
                File.WriteAllText(Path.Combine(folder, "memory.max"), bytes);

                // What it may not have in memory it may not have on disk either; all of it ends together when it takes too much.
                WriteIfThere(Path.Combine(folder, "memory.swap.max"), "0");
                WriteIfThere(Path.Combine(folder, "memory.oom.group"), "1");
            }
            else
            {
                File.WriteAllText(Path.Combine(folder, "memory.limit_in_bytes"), bytes);
                WriteIfThere(Path.Combine(folder, "memory.memsw.limit_in_bytes"), bytes);
            }
        }

        if (_pids is not null && processes > 0)
        {
            File.WriteAllText(Path.Combine(_pids, name, "pids.max"), processes.ToString(CultureInfo.InvariantCulture));
        }
    }

    /// <summary>Removes the backend's own group; its instances' must be gone.</summary>
    public void Remove()
    {
        foreach (var folder in Folders)
        {
            ControlGroup.TryRemove(folder);
        }
    }

    private static async Task<(ControlGroups? Groups, string? Why)> OpenAsync(
        string parent, string name, ControlGroupMounts mounts, Func<IReadOnlyList<string>, Task<bool>> tryOut)
    {
        var unified = Path.Combine(parent, name);
        string? memory = null;
        string? pids = null;
        try
        {
            Directory.CreateDirectory(unified);
            if (!File.Exists(Path.Combine(unified, KillFile)))
            {
                ControlGroup.TryRemove(unified);
                return (null, "this kernel cannot kill a control group (Linux 5.14 can)");
            }

            memory = Enable(parent, unified, Memory) ? unified : Beside(mounts.Memory, name);
            pids = Enable(parent, unified, Pids) ? unified : Beside(mounts.Pids, name);
            var groups = new ControlGroups(unified, memory, pids);
            var trial = groups.Make("trial", 0, 0);
            var works = await tryOut(trial.Folders).ConfigureAwait(false);
            trial.Kill();
            await trial.RemoveAsync(TimeProvider.System).ConfigureAwait(false);
            if (works)
            {
                return (groups, null);
            }

            groups.Remove();
            return (null, $"no process can be moved into {unified}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            foreach (var folder in new[] { unified, memory, pids }.OfType<string>())
            {
                ControlGroup.TryRemove(folder);
            }

            return (null, $"{parent} cannot be written to: {e.Message}");
        }
    }

    /// <summary>Hands a controller of version 2 down to the groups of instances.</summary>
    private static bool Enable(string parent, string group, string controller)
    {
        if (!Has(group, controller) && Has(parent, controller))
        {
            // Refused while the parent holds processes of its own, as the scaler.
            WriteIfThere(Path.Combine(parent, "cgroup.subtree_control"), "+" + controller);
        }

        return Has(group, controller) && WriteIfThere(Path.Combine(group, "cgroup.subtree_control"), "+" + controller);

        static bool Has(string folder, string controller) =>
            File.ReadAllText(Path.Combine(folder, "cgroup.controllers")).Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries).Contains(controller);
    }

    /// <summary>A group in a hierarchy of version 1, where the controller is bound to that.</summary>
    private static string? Beside(string? own, string name)
    {
        try
        {
            return own is null ? null : Directory.CreateDirectory(Path.Combine(own, name)).FullName;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static bool WriteIfThere(string file, string text)
    {
        try
        {
            if (!File.Exists(file))
            {
                return false;
            }

            File.WriteAllText(file, text);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}

/// <summary>The control group of an instance.</summary>
/// <param name="unified">Its folder in version 2, which kills.</param>
/// <param name="folders">All its folders; a process is in the group when its id is written to <c>cgroup.procs</c> of each.</param>
/// <param name="memory">Its folder that limits memory; null where nothing does.</param>
internal sealed class ControlGroup(string unified, IReadOnlyList<string> folders, string? memory)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(5);
    private const int Looks = 1000;
    private const int LooksBetweenKills = 10;

    /// <summary>What is written to, to kill all of it.</summary>
    public string KillFile { get; } = Path.Combine(unified, "cgroup.kill");

    public IReadOnlyList<string> Folders { get; } = folders;

    /// <summary>Whether something in it was killed because it took more memory than it may.</summary>
    public bool RanOutOfMemory
    {
        get
        {
            foreach (var file in memory is null ? [] : new[] { "memory.events", "memory.oom_control" })
            {
                try
                {
                    if (File.ReadLines(Path.Combine(memory!, file)).Any(l => l.StartsWith("oom_kill ", StringComparison.Ordinal) && l != "oom_kill 0"))
                    {
                        return true;
                    }
                }
                catch (IOException)
                {
                    // The other version's.
                }
            }

            return false;
        }
    }

    /// <summary>Kills all that is in it, at one moment.</summary>
    public void Kill()
    {
        try
        {
            File.WriteAllText(KillFile, "1");
        }
        catch (IOException)
        {
            // It is gone.
        }
    }

    /// <summary>Kills what is in it, waits until it is empty and removes it.</summary>
    /// <returns>False when something in it does not end; then it stays.</returns>
    public async Task<bool> RemoveAsync(TimeProvider time)
    {
        for (var look = 0; look < Looks; look++)
        {
            var left = false;
            foreach (var folder in Folders)
            {
                left |= !TryRemove(folder);
            }

            if (!left)
            {
                return true;
            }

            if (look % LooksBetweenKills == 0)
            {
                Kill();
            }

            await Task.Delay(Pause, time).ConfigureAwait(false);
        }

        return false;
    }

    /// <summary>Removes an empty group's folder; files in it are the kernel's and go with it.</summary>
    public static bool TryRemove(string folder)
    {
        if (!Directory.Exists(folder))
        {
            return true;
        }

        try
        {
            Directory.Delete(folder);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return !Directory.Exists(folder);
        }
    }
}
