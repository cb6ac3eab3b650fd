using FuncScaler.SlotBackends.Settings;

namespace FuncScaler.Runtime;

/// <summary>
/// Settings that stand in files. They are read anew every ten seconds; what has changed holds from then on. Files that cannot be used change
/// nothing, and that is told once.
/// </summary>
/// <typeparam name="T">The settings.</typeparam>
public sealed class FileWatch<T> : IDisposable
    where T : class
{
    private readonly Func<T?, (T Settings, string Version)> _read;
    private readonly TimeProvider _time;
    private readonly Lock _gate = new();
    private volatile T _current;
    private string _version;
    private string? _told;
    private Action<T>? _changed;
    private Action<BackendSettingsException>? _failed;
    private ITimer? _timer;

    /// <summary>Reads a first time.</summary>
    /// <param name="read">
    /// Reads the files, given the former settings, and says by the way what makes their content another; null for the first time. What it throws is
    /// <see cref="BackendSettingsException"/>.
    /// </param>
    /// <param name="time">The clock.</param>
    /// <exception cref="BackendSettingsException">The files cannot be read, or something in them is wrong.</exception>
    public FileWatch(Func<T?, (T Settings, string Version)> read, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(read);
        (_read, _time) = (read, time);
        (_current, _version) = read(null);
    }

    /// <summary>The settings in force.</summary>
    public T Current => _current;

    /// <summary>Begins to watch.</summary>
    /// <param name="changed">Is told of new settings.</param>
    /// <param name="failed">Is told once of files that cannot be used.</param>
    public void Start(Action<T> changed, Action<BackendSettingsException> failed)
    {
        lock (_gate)
        {
            (_changed, _failed) = (changed, failed);
            _timer = _time.CreateTimer(static state => ((FileWatch<T>)state!).Look(), this, FileWatch.Interval, FileWatch.Interval);
        }
    }

    public void Dispose() => _timer?.Dispose();

    private void Look()
    {
        lock (_gate)
        {
            try
            {
                var (read, version) = _read(_current);
                if (version != _version)
                {
                    (_current, _version) = (read, version);
                    _changed!(read);
                }

                _told = null;
            }
            catch (BackendSettingsException e)
            {
                // Files that belong together are seldom written at one moment; what stays wrong is told once.
                if (_told != e.Message)
                {
                    _told = e.Message;
                    _failed!(e);
                }
            }
        }
    }
}

/// <summary>What is the same for all watched files.</summary>
public static class FileWatch
{
    /// <summary>How often files are looked at.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);
}
