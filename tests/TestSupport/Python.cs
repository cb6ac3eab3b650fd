using System.ComponentModel;
using System.Diagnostics;

namespace FuncScaler.Tests;

/// <summary>The Python 3 of this machine.</summary>
internal static class Python
{
    /// <summary>The interpreter itself, as what is on the PATH may be a script that changes the environment; null where there is none.</summary>
    public static string? Path { get; } = Find();

    /// <summary>Why tests with processes in Python are skipped; null where they run.</summary>
    public static string? Missing => Path is null ? "python3 is not on the PATH" : File.Exists("/proc/self/stat") ? null : "there is no /proc here";

    private static string? Find()
    {
        try
        {
            using var python = Process.Start(new ProcessStartInfo("python3", ["-c", "import sys; print(sys.executable)"]) { RedirectStandardOutput = true })!;
            var path = python.StandardOutput.ReadToEnd().Trim();
            return File.Exists(path) ? path : null;
        }
        catch (Win32Exception)
        {
            return null;
        }
    }
}

/// <summary>A test that needs Python 3 on the PATH, and Linux's list of processes.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class PythonFactAttribute : FactAttribute
{
    public PythonFactAttribute() => Skip = Python.Missing;

    /// <param name="takesMinutes">Whether it runs only where long tests are asked for.</param>
    public PythonFactAttribute(bool takesMinutes) => Skip = Python.Missing ?? (takesMinutes ? TestLength.NotAsked : null);
}

/// <inheritdoc cref="PythonFactAttribute"/>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class PythonTheoryAttribute : TheoryAttribute
{
    public PythonTheoryAttribute() => Skip = Python.Missing;
}
