using Grpc.Core;
using Microsoft.AspNetCore.Http;

namespace FuncScaler.Runtime.Service;

/// <summary>How every service gets instances for its callers: none is left to nobody, and a refusal is told in the same way.</summary>
internal static class Granting
{
    /// <summary>Gives a request an instance.</summary>
    /// <param name="scaler">What gives instances out.</param>
    /// <param name="function">The function.</param>
    /// <param name="request">The request.</param>
    /// <param name="timeout">How long the caller is ready to wait; null when it did not say.</param>
    /// <param name="noun">What the service's contract calls an instance.</param>
    /// <param name="cancellationToken">The caller has gone away.</param>
    /// <exception cref="RpcException">No instance, and why; where it helps, with a hint when to come again.</exception>
    public static async ValueTask<AssignedInstance> GrantAsync(
        this IScaler scaler, FunctionMeta function, RequestId request, TimeSpan? timeout, string noun, CancellationToken cancellationToken)
    {
        try
        {
            var assigned = await scaler.AssignAsync(function, request, timeout, cancellationToken).ConfigureAwait(false);
            if (cancellationToken.IsCancellationRequested)
            {
                // Granted in the moment the caller went away: nobody would ever release it.
                scaler.Abandon(function.Key, request);
                cancellationToken.ThrowIfCancellationRequested();
            }

            return assigned;
        }
        catch (AssignRejectedException e)
        {
            var status = new Status(ScalerRefusal.StatusOf(e.Reason), $"no {noun} of function {function.Key} for request {request}: {e.Message}");
            throw e.RetryAfter is { } wait
                ? new RpcException(status, new Metadata { { ScalerRefusal.PushbackTrailer, ScalerRefusal.Milliseconds(wait) } })
                : new RpcException(status);
        }
    }

    /// <summary>
    /// Takes a granted instance back if its reply does not reach the caller: nobody else would ever release it. What breaks off after the
    /// last byte has left cannot be told from a reply that arrived; the function's time-out ends such an assignment.
    /// </summary>
    public static void TakeBackIfUndelivered(this IScaler scaler, HttpContext http, MetaKey function, RequestId request) => http.Response.OnCompleted(() =>
    {
        if (http.RequestAborted.IsCancellationRequested)
        {
            scaler.Abandon(function, request);
        }

        return Task.CompletedTask;
    });
}
