using FuncScaler.SlotBackends.Settings;

namespace FuncScaler.ScalerHost.Security;

/// <summary>
/// The security files in force. They are read anew every ten seconds; what has changed holds from then on, for connections that are open too,
/// but for a client certificate that an open connection has shown. Files that cannot be used change nothing, and the log says why.
/// </summary>
public sealed class SecurityWatch : IDisposable
{
    /// <summary>How often the files are looked at.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    private readonly string _path;
    private readonly TimeProvider _time;
    private readonly Lock _gate = new();
    private volatile SecuritySettings _current;
    private string _version;
    private string? _told;
    private ITimer? _timer;
    private AuditLog? _log;

    private SecurityWatch(string path, TimeProvider time)
    {
        _path = path;
        _time = time;
        _current = SecurityFile.Read(path, time, former: [], out _version);
    }

    /// <summary>Whether the scaler itself speaks TLS.</summary>
    public bool HasTls => _current.Certificate is not null;

    /// <summary>Whether the file says that something in front does.</summary>
    public bool TlsInFront => _current.TlsInFront;

    internal SecuritySettings Current => _current;

    /// <summary>Reads the files a first time.</summary>
    /// <exception cref="CommandException">They cannot be read, or something in them is wrong.</exception>
    public static SecurityWatch Open(string path, TimeProvider time)
    {
        try
        {
            return new SecurityWatch(path, time);
        }
        catch (BackendSettingsException e)
        {
            throw CommandException.OfFile($"--security {path}", e);
        }
    }

    public void Dispose() => _timer?.Dispose();

    /// <summary>Begins to watch.</summary>
    internal void Start(AuditLog log)
    {
        _log = log;
        _timer = _time.CreateTimer(static state => ((SecurityWatch)state!).Look(), this, Interval, Interval);
    }

    private void Look()
    {
        lock (_gate)
        {
            try
            {
                var read = SecurityFile.Read(_path, _time, _current.Callers, out var version);
                if (version == _version)
                {
                    _told = null;
                    return;
                }

                if (read.Certificate is null != _current.Certificate is null)
                {
                    throw new BackendSettingsException("tls cannot be turned on or off while the scaler runs: start it again.");
                }

                (_current, _version, _told) = (read, version, null);
                _log!.Reloaded(read.Callers.Count, read.CertificateEnds);
            }
            catch (BackendSettingsException e)
            {
                // A certificate and its key are seldom written at one moment; what stays wrong is told once.
                if (_told != e.Message)
                {
                    _told = e.Message;
                    _log!.ReloadFailed(e.Message);
                }
            }
        }
    }
}
