using FuncScaler.Runtime.Limits;
using FuncScaler.SlotBackends.Settings;

namespace FuncScaler.ScalerHost;

/// <summary>The limits file that a command names.</summary>
internal static class LimitsFile
{
    /// <summary>Reads it a first time.</summary>
    /// <exception cref="CommandException">It cannot be read, or something in it is wrong.</exception>
    public static LimitsWatch Open(string path, TimeProvider time) => Opened(path, () => new LimitsWatch(path, time));

    /// <summary>Reads it once.</summary>
    /// <exception cref="CommandException">It cannot be read, or something in it is wrong.</exception>
    public static LimitsPlan ReadPlan(string path) => Opened(path, () => LimitsWatch.Read(path));

    private static T Opened<T>(string path, Func<T> open)
    {
        try
        {
            return open();
        }
        catch (BackendSettingsException e)
        {
            throw CommandException.OfFile($"--limits {path}", e);
        }
    }
}
