using System.Globalization;

namespace FuncScaler.SlotBackends.Process;

/// <summary>
/// How many files, sockets and pipes this process may still open. It must not run out of them: .NET needs a pipe for each new thread of its
/// pool, and ends the process with "Out of memory" where there is none.
/// </summary>
public static class Descriptors
{
    /// <summary>What is left alone for the runtime: threads, code that is loaded late, files that are looked at.</summary>
    public const int Reserve = 128;

    private const string Limits = "/proc/self/limits";
    private const string Open = "/proc/self/fd";

    /// <summary>How many more can be opened, the <see cref="Reserve"/> not counted; null where the system does not tell, or has no limit.</summary>
    public static long? Left()
    {
        try
        {
            const string Name = "Max open files";
            var line = File.Exists(Limits) ? File.ReadLines(Limits).FirstOrDefault(l => l.StartsWith(Name, StringComparison.Ordinal)) : null;
            return line is not null && long.TryParse(line[Name.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[0], NumberStyles.None, CultureInfo.InvariantCulture, out var most)
                ? most - Directory.EnumerateFileSystemEntries(Open).Count() - Reserve
                : null;
        }
        catch (IOException)
        {
            // None is left to look with.
            return -Reserve;
        }
    }
}
