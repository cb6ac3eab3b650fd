using FuncScaler.Runtime.Security;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace FuncScaler.ScalerHost.Security;

/// <summary>How a server gets its guard.</summary>
internal static class SecurityServices
{
    /// <summary>Puts the guard in front of everything that is mapped afterwards, and begins to watch its files.</summary>
    /// <param name="app">The server.</param>
    /// <param name="watch">The files.</param>
    /// <param name="time">The clock.</param>
    public static void UseGuard(this WebApplication app, SecurityWatch watch, TimeProvider time)
    {
        var log = new AuditLog(app.Services.GetRequiredService<ILogger<AuditLog>>(), time);
        var guard = new Guard(new Credentials(watch, time), log);
        app.Use(guard.InvokeAsync);
        watch.Start(log);
    }

    /// <summary>What puts TLS in front of a port; null where the files have none.</summary>
    public static Action<ListenOptions>? SecurePort(this SecurityWatch? watch) => watch is { HasTls: true } ? listen => TlsSettings.Use(listen, () => watch.Current.Tls!) : null;
}
