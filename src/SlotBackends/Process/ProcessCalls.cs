using System.Runtime.InteropServices;

namespace FuncScaler.SlotBackends.Process;

/// <summary>What .NET has no words for.</summary>
internal static class ProcessCalls
{
    public const int SigTerm = 15;
    public const int SigKill = 9;

    /// <summary>Sends a signal to a process, or to a process group, whose id is then negative.</summary>
    [DllImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    public static extern int SendSignal(int pid, int signal);
}
