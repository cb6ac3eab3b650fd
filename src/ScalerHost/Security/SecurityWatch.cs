using FuncScaler.Runtime;
using FuncScaler.SlotBackends.Settings;

namespace FuncScaler.ScalerHost.Security;

/// <summary>
/// The security files in force. What has changed holds for connections that are open too, but for a client certificate that an open connection
/// has shown.
/// </summary>
public sealed class SecurityWatch : IDisposable
{
    private readonly FileWatch<SecuritySettings> _files;

    private SecurityWatch(string path, TimeProvider time) => _files = new FileWatch<SecuritySettings>(
        former =>
        {
            var read = SecurityFile.Read(path, time, former?.Callers ?? [], out var version);
            return former is not null && read.Tls is null != former.Tls is null
                ? throw new BackendSettingsException("tls cannot be turned on or off while the scaler runs: start it again.")
                : (read, version);
        },
        time);

    /// <summary>Whether the scaler itself speaks TLS.</summary>
    public bool HasTls => Current.Tls is not null;

    /// <summary>Whether the file says that something in front does.</summary>
    public bool TlsInFront => Current.TlsInFront;

    internal SecuritySettings Current => _files.Current;

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

    public void Dispose() => _files.Dispose();

    /// <summary>Begins to watch.</summary>
    internal void Start(AuditLog log) => _files.Start(
        read => log.Reloaded(read.Callers.Count, read.Tls?.Certificate.TargetCertificate.NotAfter),
        e => log.ReloadFailed(e.Message));
}
