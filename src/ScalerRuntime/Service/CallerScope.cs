using Grpc.Core;
using Microsoft.AspNetCore.Http;

namespace FuncScaler.Runtime.Service;

/// <summary>
/// Which functions a caller may use and see. A host that knows its callers sets it as a feature of their requests; where it is absent, a
/// caller has all functions.
/// </summary>
/// <param name="Caller">The caller's name, for messages.</param>
/// <param name="Prefixes">What the keys of its functions begin with, compared byte by byte.</param>
public sealed record CallerScope(string Caller, IReadOnlyList<string> Prefixes)
{
    /// <summary>Whether a function is one of the caller's.</summary>
    public bool Covers(string key)
    {
        foreach (var prefix in Prefixes)
        {
            if (key.StartsWith(prefix, StringComparison.Ordinal))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The scope of a request's caller; null for all functions.</summary>
    public static CallerScope? Of(HttpContext http)
    {
        ArgumentNullException.ThrowIfNull(http);
        return http.Features.Get<CallerScope>();
    }

    /// <summary>Refuses a function that is not the caller's. An empty key is let through: the service says what is wrong with it.</summary>
    /// <exception cref="RpcException">PERMISSION_DENIED.</exception>
    public static void Check(HttpContext http, string? key)
    {
        if (!string.IsNullOrEmpty(key) && Of(http) is { } scope && !scope.Covers(key))
        {
            throw new RpcException(new Grpc.Core.Status(
                StatusCode.PermissionDenied,
                $"caller {scope.Caller} may not use this function: its functions' keys begin with {string.Join(" or ", scope.Prefixes)}"));
        }
    }
}
