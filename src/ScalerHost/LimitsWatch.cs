using System.Text;
using FuncScaler.Runtime;
using FuncScaler.Runtime.Limits;
using FuncScaler.SlotBackends.Settings;
using Microsoft.Extensions.Logging;

namespace FuncScaler.ScalerHost;

/// <summary>
/// The limits file in force. It is read anew every ten seconds; what has changed holds from then on. A file that cannot be used changes nothing,
/// and the log says why.
/// </summary>
public sealed partial class LimitsWatch : IDisposable
{
    /// <summary>How often the file is looked at.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    /// <summary>The largest file that is read, bytes.</summary>
    private const int LargestFile = 16 << 20;

    private readonly string _path;
    private readonly TimeProvider _time;
    private readonly Lock _gate = new();
    private LimitsPlan _plan;
    private string _text;
    private string? _told;
    private LimitsClock? _clock;
    private ITimer? _timer;
    private ILogger? _logger;

    private LimitsWatch(string path, TimeProvider time)
    {
        _path = path;
        _time = time;
        _text = ReadText(path);
        _plan = LimitsPlan.Read(_text);
    }

    /// <summary>Reads the file a first time.</summary>
    /// <exception cref="CommandException">It cannot be read, or something in it is wrong.</exception>
    public static LimitsWatch Open(string path, TimeProvider time) => Opened(path, () => new LimitsWatch(path, time));

    /// <summary>Reads the file once.</summary>
    /// <exception cref="CommandException">It cannot be read, or something in it is wrong.</exception>
    internal static LimitsPlan ReadPlan(string path) => Opened(path, () => LimitsPlan.Read(ReadText(path)));

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

    public void Dispose()
    {
        _timer?.Dispose();
        _clock?.Dispose();
    }

    /// <summary>Tells the scaler of the limits, and begins to watch.</summary>
    internal void Start(ScalerRuntime runtime, ILogger logger)
    {
        lock (_gate)
        {
            _logger = logger;
            _clock = new LimitsClock(runtime.SetLimits, runtime.SetOtherLimits, _time);
            _clock.Follow(_plan);
            _timer = _time.CreateTimer(static state => ((LimitsWatch)state!).Look(), this, Interval, Interval);
        }
    }

    private void Look()
    {
        lock (_gate)
        {
            try
            {
                var text = ReadText(_path);
                if (text == _text)
                {
                    _told = null;
                    return;
                }

                _plan = LimitsPlan.Read(text);
                (_text, _told) = (text, null);
                _clock!.Follow(_plan);
                LogReloaded(_logger!, _plan.Functions.Count);
            }
            catch (BackendSettingsException e)
            {
                if (_told != e.Message)
                {
                    _told = e.Message;
                    LogNotReloaded(_logger!, string.Join(" ", e.Errors));
                }
            }
        }
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

    [LoggerMessage(410, LogLevel.Information, "The limits file was read anew: limits of {Functions} functions")]
    private static partial void LogReloaded(ILogger logger, int functions);

    [LoggerMessage(411, LogLevel.Error, "The limits file cannot be used, the former limits stay: {Reason}")]
    private static partial void LogNotReloaded(ILogger logger, string reason);
}
