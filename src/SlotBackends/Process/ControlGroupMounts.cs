namespace FuncScaler.SlotBackends.Process;

/// <summary>Where the control groups of this process are in the file system; null where they are not.</summary>
/// <param name="Unified">Of version 2.</param>
/// <param name="UnifiedParent">The one above, where there is one in sight.</param>
/// <param name="Memory">Of version 1, for memory.</param>
/// <param name="Pids">Of version 1, for processes.</param>
internal sealed record ControlGroupMounts(string? Unified, string? UnifiedParent, string? Memory, string? Pids)
{
    /// <param name="mountInfo">The lines of <c>/proc/self/mountinfo</c>.</param>
    /// <param name="memberships">The lines of <c>/proc/self/cgroup</c>.</param>
    public static ControlGroupMounts Read(IEnumerable<string> mountInfo, IEnumerable<string> memberships)
    {
        var own = new Dictionary<string, string>();
        foreach (var line in memberships)
        {
            // hierarchy:controllers:path; version 2 has no controllers here.
            if (line.Split(':', 3) is [_, var controllers, var path])
            {
                foreach (var controller in controllers.Split(','))
                {
                    own[controller] = path;
                }
            }
        }

        string? unified = null, unifiedParent = null, memory = null, pids = null;
        foreach (var line in mountInfo)
        {
            if (line.Split(" - ", 2) is not [var mount, var system]
                || mount.Split(' ') is not [_, _, _, var root, var point, ..]
                || system.Split(' ') is not [var type, _, var options, ..])
            {
                continue;
            }

            var has = options.Split(',');
            if (type == "cgroup2")
            {
                unified ??= At(point, root, own.GetValueOrDefault(""));
                unifiedParent ??= unified is not null && unified.Length > point.Length ? Path.GetDirectoryName(unified) : null;
            }
            else if (type == "cgroup")
            {
                memory ??= has.Contains("memory") ? At(point, root, own.GetValueOrDefault("memory")) : null;
                pids ??= has.Contains("pids") ? At(point, root, own.GetValueOrDefault("pids")) : null;
            }
        }

        return new ControlGroupMounts(unified, unifiedParent, memory, pids);
    }

    /// <summary>A group's folder: its path counts from the hierarchy's root, and only what is below the mount's root is in sight.</summary>
    private static string? At(string point, string root, string? path)
    {
        if (path is null)
        {
            return null;
        }

        var below = root == "/" ? path
            : path == root ? ""
            : path.StartsWith(root + "/", StringComparison.Ordinal) ? path[root.Length..]
            : null;
        return below is null || below.Contains("/..", StringComparison.Ordinal) ? null : point + below.TrimEnd('/');
    }
}
