using FuncScaler.SlotBackends.Budget;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace FuncScaler.ScalerHost.Security;

/// <summary>
/// The record of who did what and of who was turned away. It is written whatever the log level is. Tokens, keys and certificates never
/// stand in it.
/// </summary>
/// <remarks>Strangers write it too: of refusals at most twenty a second are told one by one, and the rest as a number.</remarks>
internal sealed partial class AuditLog(ILogger<AuditLog> logger, TimeProvider time)
{
    private readonly ILogger _logger = logger;
    private readonly TokenBuckets _lines = new([new RateLimit(20, TimeSpan.FromSeconds(1))], time);
    private long _untold;

    /// <summary>A caller with the right to operate has used it.</summary>
    public void Operated(string caller, HttpContext http) =>
        LogOperated(caller, http.Request.Method, PathOf(http), http.Connection.RemoteIpAddress?.ToString() ?? "", http.Response.StatusCode);

    /// <summary>Somebody was turned away.</summary>
    /// <param name="caller">Who; empty where that is not known.</param>
    /// <param name="http">The request.</param>
    /// <param name="status">Why.</param>
    /// <param name="why">The same in words.</param>
    public void Refused(string caller, HttpContext http, StatusCode status, string why)
    {
        if (!_lines.TryTake(out _))
        {
            Interlocked.Increment(ref _untold);
            return;
        }

        if (Interlocked.Exchange(ref _untold, 0) is > 0 and var untold)
        {
            LogUntold(untold);
        }

        LogRefused(caller.Length == 0 ? "a stranger" : caller, http.Request.Method, PathOf(http), http.Connection.RemoteIpAddress?.ToString() ?? "", status, why);
    }

    /// <summary>The security file or one of those that it names has changed.</summary>
    public void Reloaded(int callers, DateTimeOffset? certificateEnds) => LogReloaded(callers, certificateEnds?.ToString("u") ?? "none");

    /// <summary>A changed file cannot be used.</summary>
    public void ReloadFailed(string why) => LogReloadFailed(why);

    /// <summary>Without the query, in which careless clients put secrets, and not longer than a name.</summary>
    private static string PathOf(HttpContext http)
    {
        var path = http.Request.Path.Value ?? "";
        return path.Length <= 200 ? path : path[..200];
    }

    [LoggerMessage(400, LogLevel.Information, "{Caller} operated: {Method} {Path} from {Address}, answered with {Status}")]
    private partial void LogOperated(string caller, string method, string path, string address, int status);

    [LoggerMessage(401, LogLevel.Information, "Refused {Caller}: {Method} {Path} from {Address}: {Status}, {Why}")]
    private partial void LogRefused(string caller, string method, string path, string address, StatusCode status, string why);

    [LoggerMessage(402, LogLevel.Information, "Refused {Count} further requests, which are not told one by one")]
    private partial void LogUntold(long count);

    [LoggerMessage(403, LogLevel.Information, "Read the security files anew: {Callers} callers, the certificate ends {CertificateEnds}")]
    private partial void LogReloaded(int callers, string certificateEnds);

    [LoggerMessage(404, LogLevel.Error, "The security files have changed and cannot be used, so the former ones stay in force: {Why}")]
    private partial void LogReloadFailed(string why);
}
