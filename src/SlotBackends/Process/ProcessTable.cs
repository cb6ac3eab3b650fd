using System.Buffers;
using System.Globalization;
using System.Text;

namespace FuncScaler.SlotBackends.Process;

/// <summary>A process as Linux lists it.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Parent">Its parent's id; that of an adopter once the parent has ended.</param>
/// <param name="Group">Its process group.</param>
/// <param name="Session">Its session.</param>
/// <param name="Started">When it started, clock ticks; with the id it tells one process from a later one.</param>
internal readonly record struct ListedProcess(int Id, int Parent, int Group, int Session, long Started);

/// <summary>The processes of this machine, from <c>/proc</c>.</summary>
internal static class ProcessTable
{
    /// <summary>All that run at present; those that have ended and were not waited for are left out.</summary>
    /// <exception cref="IOException">They cannot be listed: the system has no more files to open.</exception>
    public static List<ListedProcess> Read()
    {
        var all = new List<ListedProcess>();
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(folder.AsSpan()), NumberStyles.None, CultureInfo.InvariantCulture, out var id) && Find(id) is { } process)
            {
                all.Add(process);
            }
        }

        return all;
    }

    /// <summary>One of them; null when it does not run.</summary>
    /// <exception cref="IOException">It cannot be looked at: the system has no more files to open.</exception>
    public static ListedProcess? Find(int id)
    {
        try
        {
            // id (name) state parent group session ... the 22nd is the start; the name may hold anything.
            var stat = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{id}/stat"));
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ', 21);
            return fields[0] is "Z" or "X" ? null : new ListedProcess(id, Number(1), Number(2), Number(3), long.Parse(fields[19], CultureInfo.InvariantCulture));

            int Number(int field) => int.Parse(fields[field], CultureInfo.InvariantCulture);
        }
        catch (Exception e) when (HasGone(e))
        {
            return null;
        }
    }

    /// <summary>Whether a process was started with a text in its environment; false when it may not be looked at.</summary>
    public static bool HasInEnvironment(int id, ReadOnlySpan<byte> text)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(16 * 1024);
        try
        {
            using var file = File.OpenHandle(string.Create(CultureInfo.InvariantCulture, $"/proc/{id}/environ"));
            var kept = 0;
            for (long at = 0; ;)
            {
                var read = RandomAccess.Read(file, buffer.AsSpan(kept), at);
                if (read == 0)
                {
                    return false;
                }

                at += read;
                var seen = buffer.AsSpan(0, kept + read);
                if (seen.IndexOf(text) >= 0)
                {
                    return true;
                }

                // The text may lie across two reads.
                kept = Math.Min(seen.Length, text.Length - 1);
                seen[^kept..].CopyTo(buffer);
            }
        }
        catch (Exception e) when (HasGone(e))
        {
            return false;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Whether a failure says that the process has ended, or is another user's; not that there are no more files (ENFILE, EMFILE).</summary>
    private static bool HasGone(Exception e) => e is UnauthorizedAccessException || (e is IOException && e.HResult is not (23 or 24));
}

/// <summary>
/// All processes that come from one, where there are no control groups to tell: its session and its process group, its descendants, those
/// once seen to be, and those with its mark in their environment, wherever they have gone. Safe for concurrent use.
/// </summary>
internal sealed class ProcessTree(ListedProcess root, string mark)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(3);
    private const int Rounds = 1000;

    private readonly byte[] _mark = Encoding.UTF8.GetBytes(mark);
    private readonly Lock _gate = new();
    private readonly Dictionary<int, long> _seen = new() { [root.Id] = root.Started };

    /// <summary>Who is known to be of it.</summary>
    internal IReadOnlyCollection<int> Seen => _seen.Keys;

    /// <summary>Remembers who is of it now: who leaves its parents later is known then.</summary>
    public void Look(List<ListedProcess> table)
    {
        using var held = _gate.EnterScope();
        var alive = table.ToDictionary(p => p.Id);
        foreach (var (id, started) in _seen)
        {
            if (id != root.Id && !(alive.TryGetValue(id, out var process) && process.Started == started))
            {
                _seen.Remove(id);
            }
        }

        // Parents before children, as far as start times tell: what is missed is found at the next look.
        foreach (var process in table.Where(p => p.Started >= root.Started).OrderBy(p => p.Started).ThenBy(p => p.Id))
        {
            if (process.Session == root.Id || process.Group == root.Id || IsSeen(process.Parent))
            {
                _seen.TryAdd(process.Id, process.Started);
            }
        }

        bool IsSeen(int id) => _seen.TryGetValue(id, out var started) && (!alive.TryGetValue(id, out var process) || process.Started == started);
    }

    /// <summary>Kills all of it, again and again until nothing is left.</summary>
    /// <returns>False when something outlasts it.</returns>
    public async Task<bool> KillAsync(TimeProvider time)
    {
        for (var round = 0; round < Rounds; round++)
        {
            var left = false;
            try
            {
                left = KillOnce();
            }
            catch (IOException)
            {
                // No more files to open: others will close theirs.
                left = true;
            }

            if (!left)
            {
                return true;
            }

            await Task.Delay(Pause, time).ConfigureAwait(false);
        }

        return false;
    }

    /// <returns>Whether something was left to be killed.</returns>
    private bool KillOnce()
    {
        var table = ProcessTable.Read();
        Look(table);
        var left = false;
        foreach (var process in table.Where(p => p.Started >= root.Started && p.Id != Environment.ProcessId))
        {
            if (HasSeen(process) || ProcessTable.HasInEnvironment(process.Id, _mark))
            {
                // A process that is being killed has no environment any more.
                left = true;
                See(process);
                _ = ProcessCalls.SendSignal(process.Id, ProcessCalls.SigKill);
            }
        }

        return left;
    }

    private bool HasSeen(ListedProcess process)
    {
        lock (_gate)
        {
            return _seen.TryGetValue(process.Id, out var started) && started == process.Started;
        }
    }

    private void See(ListedProcess process)
    {
        lock (_gate)
        {
            _seen[process.Id] = process.Started;
        }
    }
}
