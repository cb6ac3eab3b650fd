using FuncScaler.Runtime.Service;
using Grpc.Core;
using Microsoft.AspNetCore.Http;

namespace FuncScaler.ScalerHost.Security;

/// <summary>
/// Stands before everything that the scaler serves: finds out who calls, whether the caller may, and whether it is within its rate. What it
/// lets through carries the caller's <see cref="CallerScope"/>.
/// </summary>
internal sealed class Guard(Credentials credentials, AuditLog log)
{
    public async Task InvokeAsync(HttpContext http, RequestDelegate next)
    {
        var route = RouteRights.Of(http.Request);
        if (route.Right is not { } right)
        {
            await next(http).ConfigureAwait(false);
            return;
        }

        var (caller, status, why, retryAfter) = await credentials.IdentifyAsync(http).ConfigureAwait(false);
        if (caller is null)
        {
            await RefuseAsync(http, "", status, why, retryAfter).ConfigureAwait(false);
            return;
        }

        if (!caller.TryTake(route.IsRelease, out var wait))
        {
            await RefuseAsync(http, caller.Name, StatusCode.ResourceExhausted, $"caller {caller.Name} is beyond its rate", wait).ConfigureAwait(false);
            return;
        }

        if (!caller.Has(right))
        {
            await RefuseAsync(http, caller.Name, StatusCode.PermissionDenied, $"caller {caller.Name} has no right to {NameOf(right)}").ConfigureAwait(false);
            return;
        }

        if (caller.Scope is { } scope)
        {
            if (!route.KnowsScopes)
            {
                await RefuseAsync(http, caller.Name, StatusCode.PermissionDenied, $"this is about all functions, and caller {caller.Name} has some alone").ConfigureAwait(false);
                return;
            }

            http.Features.Set(scope);
        }

        if (right != CallerRight.Operate)
        {
            await next(http).ConfigureAwait(false);
            return;
        }

        try
        {
            await next(http).ConfigureAwait(false);
        }
        finally
        {
            log.Operated(caller.Name, http);
        }
    }

    private static string NameOf(CallerRight right) => right switch
    {
        CallerRight.Call => "call",
        CallerRight.Read => "read",
        _ => "operate",
    };

    private Task RefuseAsync(HttpContext http, string caller, StatusCode status, string why, TimeSpan? retryAfter = null)
    {
        log.Refused(caller, http, status, why);
        if (status == StatusCode.Unauthenticated)
        {
            http.Response.Headers.WWWAuthenticate = "Bearer";
        }

        return ScalerRefusal.SendAsync(http, status, why, retryAfter);
    }
}
