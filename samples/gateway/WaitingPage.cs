using System.Collections.Concurrent;

namespace FuncScaler.Samples.Gateway;

/// <summary>
/// A page for browsers while a cold start is under way: it asks again each second. Only where <c>--waitingPageMs</c> is given; programs wait as ever,
/// and so does whatever is no GET.
/// </summary>
/// <param name="settings">After how long the page comes, ms; 0 for never.</param>
internal sealed class WaitingPage(GatewaySettings settings)
{
    private const string Html = """
        <!DOCTYPE html>
        <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
        <meta http-equiv="refresh" content="1"><title>Starting</title></head>
        <body><main role="status"><h1>Starting</h1><p>The function is being started. This page asks again each second.</p></main></body></html>

        """;

    /// <summary>Starts under way: whoever asks meanwhile gets the page, and the function no second instance for it.</summary>
    private readonly ConcurrentDictionary<string, Task<Instance>> _starts = new(StringComparer.Ordinal);

    /// <summary>Asks the scaler for an instance, and shows the page where that takes long.</summary>
    /// <returns>Null where the page was sent.</returns>
    /// <exception cref="HttpRequestException">No instance; the message has the scaler's words.</exception>
    public async Task<Instance?> AssignAsync(HttpContext http, ScalerClient scaler, string function, FunctionCall call)
    {
        var isBrowser = settings.WaitingPageMs > 0 && HttpMethods.IsGet(http.Request.Method)
            && http.Request.Headers.Accept.ToString().Contains("text/html", StringComparison.OrdinalIgnoreCase);
        if (!isBrowser)
        {
            return await scaler.AssignAsync(function, call, http.RequestAborted);
        }

        if (!_starts.ContainsKey(function))
        {
            // The browser goes away with the page: the start goes on without it.
            var start = scaler.AssignAsync(function, call, CancellationToken.None);
            if (await Task.WhenAny(start, Task.Delay(settings.WaitingPageMs, http.RequestAborted)) == start)
            {
                return await start;
            }

            if (_starts.TryAdd(function, start))
            {
                _ = GiveBackAsync(function, start, scaler);
            }
            else
            {
                _ = ReleaseAsync(start, scaler);
            }
        }

        http.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
        http.Response.ContentType = "text/html; charset=utf-8";
        http.Response.Headers.RetryAfter = "1";
        http.Response.Headers.CacheControl = "no-store";
        await http.Response.WriteAsync(Html, http.RequestAborted);
        return null;
    }

    private async Task GiveBackAsync(string function, Task<Instance> start, ScalerClient scaler)
    {
        await ReleaseAsync(start, scaler);
        _starts.TryRemove(function, out _);
    }

    /// <summary>Gives the instance back for whoever asks next; where there is none, the next one who asks is told why.</summary>
    private static async Task ReleaseAsync(Task<Instance> start, ScalerClient scaler)
    {
        try
        {
            await scaler.ReleaseAsync(await start, TimeSpan.Zero, "");
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
        {
            // Nobody waits for this one any more.
        }
    }
}
