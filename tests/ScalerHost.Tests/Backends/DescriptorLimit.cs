using System.ComponentModel;
using System.Runtime.InteropServices;

namespace FuncScaler.Tests.Backends;

/// <summary>How many files, sockets and pipes a process of this user may have open: Linux's RLIMIT_NOFILE, of another process.</summary>
internal static class DescriptorLimit
{
    private const int NoFile = 7;

    /// <summary>Sets it; below what is open, nothing more can be opened, and nothing is closed.</summary>
    /// <returns>What it was.</returns>
    public static ulong Set(int pid, ulong most)
    {
        Check(Prlimit(pid, NoFile, IntPtr.Zero, out var old));
        var wanted = old with { Soft = most };
        Check(Prlimit(pid, NoFile, ref wanted, IntPtr.Zero));
        return old.Soft;
    }

    private static void Check(int result)
    {
        if (result != 0)
        {
            throw new Win32Exception(Marshal.GetLastPInvokeError());
        }
    }

    [DllImport("libc", EntryPoint = "prlimit", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Prlimit(int pid, int resource, IntPtr wanted, out Limits old);

    [DllImport("libc", EntryPoint = "prlimit", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Prlimit(int pid, int resource, ref Limits wanted, IntPtr old);

    [StructLayout(LayoutKind.Sequential)]
    private record struct Limits(ulong Soft, ulong Hard);
}
