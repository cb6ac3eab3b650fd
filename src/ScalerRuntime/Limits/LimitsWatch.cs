using System.Text;
using FuncScaler.SlotBackends.Settings;
using Microsoft.Extensions.Logging;

namespace FuncScaler.Runtime.Limits;

/// <summary>
/// The limits file in force. It is read anew every ten seconds; what has changed holds from then on. A file that cannot be used changes nothing,
/// and the log says why.
/// </summary>
public sealed partial class LimitsWatch : IDisposable
{
    /// <summary>The largest file that is read, bytes.</summary>
    private const int LargestFile = 16 << 20;

    private readonly FileWatch<LimitsPlan> _file;
    private readonly TimeProvider _time;
    private string? _text;
    private LimitsClock? _clock;

    /// <summary>Reads the file a first time.</summary>
    /// <param name="path">The file.</param>
    /// <param name="time">The clock.</param>
    /// <exception cref="BackendSettingsException">It cannot be read, or something in it is wrong.</exception>
    public LimitsWatch(string path, TimeProvider time)
    {
        _time = time;
        _file = new FileWatch<LimitsPlan>(
            former =>
            {
                var text = ReadText(path);
                var plan = former is not null && text == _text ? former : LimitsPlan.Read(text);
                return (plan, _text = text);
            },
            time);
    }

    /// <summary>What the file says, as it was read last.</summary>
    public LimitsPlan Plan => _file.Current;

    /// <summary>Reads a file once.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="BackendSettingsException">It cannot be read, or something in it is wrong.</exception>
    public static LimitsPlan Read(string path) => LimitsPlan.Read(ReadText(path));

    public void Dispose()
    {
        _file.Dispose();
        _clock?.Dispose();
    }

    /// <summary>Tells a scaler of the limits, and begins to watch.</summary>
    /// <param name="set">
    /// Tells of a function's limits, with the settings of its instances where they are known; null where the file does not name it any more.
    /// </param>
    /// <param name="setOthers">Tells of the limits of all functions of which nothing else is said.</param>
    /// <param name="logger">For what operators should know.</param>
    /// <param name="setGroups">Tells of the groups of functions; null for a scaler that takes none.</param>
    public void Start(
        Action<MetaKey, FunctionLimits?, FunctionMeta?> set,
        Action<FunctionLimits> setOthers,
        ILogger logger,
        Action<IReadOnlyCollection<FunctionGroup>>? setGroups = null)
    {
        var clock = _clock = new LimitsClock(set, setOthers, _time, setGroups);
        clock.Follow(Plan);
        _file.Start(
            plan =>
            {
                clock.Follow(plan);
                LogReloaded(logger, plan.Functions.Count);
            },
            e => LogNotReloaded(logger, string.Join(" ", e.Errors)));
    }

    /// <exception cref="BackendSettingsException">The file cannot be read.</exception>
    private static string ReadText(string path)
    {
        try
        {
            return BoundedFile.Read(path, LargestFile) is { } bytes
                ? BoundedFile.Text(bytes)
                : throw new BackendSettingsException($"the file has more than {LargestFile >> 20} MB: give a smaller one.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or DecoderFallbackException)
        {
            throw new BackendSettingsException($"the file cannot be read: {e.Message}");
        }
    }

    [LoggerMessage(146, LogLevel.Information, "The limits file was read anew: limits of {Functions} functions")]
    private static partial void LogReloaded(ILogger logger, int functions);

    [LoggerMessage(147, LogLevel.Error, "The limits file cannot be used, the former limits stay: {Reason}")]
    private static partial void LogNotReloaded(ILogger logger, string reason);
}
