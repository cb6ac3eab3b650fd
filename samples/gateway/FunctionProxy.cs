using System.Diagnostics;
using System.Globalization;

namespace FuncScaler.Samples.Gateway;

/// <summary>
/// A small reverse proxy: asks the scaler for an instance, forwards the request to it, gives it back. The answer says how it was started
/// and what each part took.
/// </summary>
/// <remarks>By hand on Kestrel and HttpClient: YARP's feed package needs one that partial feeds lack.</remarks>
internal sealed class FunctionProxy(ScalerClient scaler, GatewaySettings settings) : IDisposable
{
    private static readonly HashSet<string> HopByHop = new(
        ["Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "Host"],
        StringComparer.OrdinalIgnoreCase);

    private readonly HttpMessageInvoker _instances = new(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false, UseCookies = false });

    public async Task InvokeAsync(HttpContext http, string function, string path)
    {
        var start = Stopwatch.GetTimestamp();
        Instance instance;
        try
        {
            instance = await scaler.AssignAsync(function, http.RequestAborted);
        }
        catch (HttpRequestException e)
        {
            http.Response.StatusCode = e.StatusCode is { } status ? (int)status : StatusCodes.Status502BadGateway;
            await http.Response.WriteAsync(e.Message + "\n", http.RequestAborted);
            return;
        }

        var assigned = Stopwatch.GetElapsedTime(start);
        var fault = "";
        try
        {
            if (InstanceUri.Make(instance.Address, path, http.Request.QueryString) is not { } target)
            {
                http.Response.StatusCode = StatusCodes.Status400BadRequest;
                await http.Response.WriteAsync("the path is no path of the function\n", http.RequestAborted);
                return;
            }

            fault = "the call was not completed";
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted);
            limit.CancelAfter(TimeSpan.FromSeconds(settings.TimeoutSeconds));
            using var request = Forward(http.Request, target);
            using var response = await _instances.SendAsync(request, limit.Token);
            http.Response.StatusCode = (int)response.StatusCode;
            foreach (var (name, values) in response.Headers.Concat(response.Content.Headers).Where(h => !HopByHop.Contains(h.Key)))
            {
                http.Response.Headers[name] = values.ToArray();
            }

            http.Response.Headers["x-funcscaler-start"] = instance.Start;
            http.Response.Headers["x-funcscaler-assign-ms"] = Milliseconds(assigned);
            http.Response.Headers["x-funcscaler-call-ms"] = Milliseconds(Stopwatch.GetElapsedTime(start) - assigned);
            await response.Content.CopyToAsync(http.Response.Body, limit.Token);
            fault = "";
            await http.Response.CompleteAsync();
        }
        catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException)
        {
            fault = e.Message;
            if (http.Response.HasStarted)
            {
                http.Abort();
            }
            else
            {
                http.Response.StatusCode = e is OperationCanceledException ? StatusCodes.Status504GatewayTimeout : StatusCodes.Status502BadGateway;
            }
        }
        finally
        {
            // Also when the caller has gone away; an instance that failed it, or refused the connection, serves no other.
            await scaler.ReleaseAsync(instance, Stopwatch.GetElapsedTime(start) - assigned, fault);
        }
    }

    public void Dispose() => _instances.Dispose();

    private static HttpRequestMessage Forward(HttpRequest from, Uri to)
    {
        var request = new HttpRequestMessage(new HttpMethod(from.Method), to);
        if (from.ContentLength > 0 || from.Headers.TransferEncoding.Count > 0)
        {
            request.Content = new StreamContent(from.Body);
        }

        foreach (var (name, values) in from.Headers.Where(h => !HopByHop.Contains(h.Key)))
        {
            if (!request.Headers.TryAddWithoutValidation(name, values.ToArray()))
            {
                request.Content?.Headers.TryAddWithoutValidation(name, values.ToArray());
            }
        }

        return request;
    }

    private static string Milliseconds(TimeSpan time) => time.TotalMilliseconds.ToString("0.0", CultureInfo.InvariantCulture);
}
