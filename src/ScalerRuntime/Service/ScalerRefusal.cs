using System.Globalization;
using Grpc.Core;
using Microsoft.AspNetCore.Http;

namespace FuncScaler.Runtime.Service;

/// <summary>Turns a request away before it reaches the service, in the words of whoever called: gRPC or JSON.</summary>
public static class ScalerRefusal
{
    /// <summary>The trailer that tells gRPC callers how long to wait before they try again, ms; gRPC's own name for it.</summary>
    public const string PushbackTrailer = "grpc-retry-pushback-ms";

    /// <summary>Writes the whole answer.</summary>
    /// <param name="http">The request.</param>
    /// <param name="status">Why.</param>
    /// <param name="detail">A sentence in ASCII without percent signs.</param>
    /// <param name="retryAfter">When it may be tried again; null where that would not help.</param>
    public static Task SendAsync(HttpContext http, StatusCode status, string detail, TimeSpan? retryAfter = null)
    {
        ArgumentNullException.ThrowIfNull(http);
        if (http.Request.ContentType?.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase) != true)
        {
            return ScalerJsonEndpoints.SendAsync(http, ScalerJsonApi.Error(status, detail) with { RetryAfter = retryAfter });
        }

        // An answer of trailers only, which HTTP/2 sends as headers; gRPC-Web reads them there too.
        var response = http.Response;
        response.ContentType = http.Request.ContentType;
        response.Headers["grpc-status"] = ((int)status).ToString(CultureInfo.InvariantCulture);
        response.Headers["grpc-message"] = detail;
        if (retryAfter is { } wait)
        {
            response.Headers[PushbackTrailer] = Milliseconds(wait);
        }

        return Task.CompletedTask;
    }

    /// <summary>The status that a caller is told when its request got no instance.</summary>
    internal static StatusCode StatusOf(RejectReason reason) => reason switch
    {
        RejectReason.DeadlineExceeded => StatusCode.DeadlineExceeded,
        RejectReason.Cancelled => StatusCode.Cancelled,
        RejectReason.BackendRefused => StatusCode.FailedPrecondition,
        RejectReason.Overloaded => StatusCode.ResourceExhausted,
        _ => StatusCode.Unavailable,
    };

    /// <summary>When a refused caller may come again; null where the refusal does not say.</summary>
    internal static TimeSpan? RetryAfterOf(RpcException refusal) =>
        long.TryParse(refusal.Trailers.GetValue(PushbackTrailer), NumberStyles.None, CultureInfo.InvariantCulture, out var ms) ? TimeSpan.FromMilliseconds(ms) : null;

    /// <summary>A time as the trailer has it.</summary>
    internal static string Milliseconds(TimeSpan wait) => ((long)Math.Ceiling(wait.TotalMilliseconds)).ToString(CultureInfo.InvariantCulture);
}
