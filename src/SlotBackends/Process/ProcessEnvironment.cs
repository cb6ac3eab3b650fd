using System.Collections;

namespace FuncScaler.SlotBackends.Process;

/// <summary>What of the scaler's own environment a function sees: where programs and folders are, and the language. Nothing else.</summary>
internal static class ProcessEnvironment
{
    private static readonly HashSet<string> Names = new(
        OperatingSystem.IsWindows()
            ? ["PATH", "PATHEXT", "SystemRoot", "SystemDrive", "windir", "ComSpec", "TEMP", "TMP", "USERPROFILE", "HOMEDRIVE", "HOMEPATH", "APPDATA", "LOCALAPPDATA", "ProgramFiles", "NUMBER_OF_PROCESSORS"]
            : ["PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "DOTNET_ROOT", "JAVA_HOME"],
        Comparer);

    /// <summary>Whether a name stands for the same variable as another one on this system.</summary>
    public static StringComparer Comparer => OperatingSystem.IsWindows() ? StringComparer.OrdinalIgnoreCase : StringComparer.Ordinal;

    /// <summary>The variables that are handed on.</summary>
    /// <param name="own">The scaler's environment.</param>
    /// <param name="further">The names of those that the settings hand on as well.</param>
    public static Dictionary<string, string> HandedOn(IDictionary own, IReadOnlyCollection<string> further)
    {
        var handedOn = new Dictionary<string, string>(Comparer);
        foreach (DictionaryEntry variable in own)
        {
            if (variable is { Key: string name, Value: string value }
                && (Names.Contains(name) || name.StartsWith("LC_", StringComparison.Ordinal) || further.Contains(name, Comparer)))
            {
                handedOn[name] = value;
            }
        }

        return handedOn;
    }
}
