using System.Diagnostics;
using System.Globalization;

namespace FuncScaler.Samples.Gateway;

/// <summary>
/// A small reverse proxy: asks the scaler for an instance, forwards the request to it, gives it back. The answer says how it was started
/// and what each part took.
/// </summary>
/// <remarks>By hand on Kestrel and HttpClient: YARP's feed package needs one that partial feeds lack.</remarks>
internal sealed class FunctionProxy(ScalerRing ring, FunctionTable functions, WaitingPage waitingPage) : IDisposable
{
    /// <summary>How many scalers, and how many instances, may refuse a request's connection before its caller is told.</summary>
    private const int MostAttempts = 3;

    /// <summary>How the request was started: warm, waited or cold. The gRPC service sends the header of the same name.</summary>
    private const string StartHeader = "x-instance-start";

    private static readonly HashSet<string> HopByHop = new(
        ["Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "Host"],
        StringComparer.OrdinalIgnoreCase);

    private readonly HttpMessageInvoker _instances = new(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false, UseCookies = false });

    public async Task InvokeAsync(HttpContext http, string function, string path)
    {
        if (functions.Find(function) is not { } call)
        {
            await AnswerAsync(http, StatusCodes.Status404NotFound, "there is no such function");
            return;
        }

        for (var attempt = 1; ; attempt++)
        {
            var start = Stopwatch.GetTimestamp();
            using var route = ring.Enter(call.With ?? function);
            Instance instance;
            try
            {
                if (await waitingPage.AssignAsync(http, route.Scaler, function, call) is not { } granted)
                {
                    return;
                }

                instance = granted;
            }
            catch (HttpRequestException e) when (e.HttpRequestError == HttpRequestError.ConnectionError && attempt < MostAttempts)
            {
                route.Unreachable();
                continue;
            }
            catch (HttpRequestException e)
            {
                await AnswerAsync(http, e.StatusCode is { } status ? (int)status : StatusCodes.Status502BadGateway, e.Message);
                return;
            }

            if (!await CallAsync(http, route.Scaler, instance, call, path, Stopwatch.GetElapsedTime(start)))
            {
                return;
            }

            if (attempt == MostAttempts)
            {
                await AnswerAsync(http, StatusCodes.Status502BadGateway, $"{MostAttempts} instances of the function refused the connection");
                return;
            }
        }
    }

    public void Dispose() => _instances.Dispose();

    /// <summary>Sends the request to an instance, and the answer to the caller.</summary>
    /// <returns>True when nothing of the request has reached the instance, so that another one may have it.</returns>
    private async Task<bool> CallAsync(HttpContext http, ScalerClient scaler, Instance instance, FunctionCall call, string path, TimeSpan assigned)
    {
        var start = Stopwatch.GetTimestamp();
        var fault = "";
        try
        {
            if (InstanceUri.Make(instance.Address, path, http.Request.QueryString) is not { } target)
            {
                await AnswerAsync(http, StatusCodes.Status400BadRequest, "the path is no path of the function");
                return false;
            }

            fault = "the call was not completed";
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted);
            limit.CancelAfter(TimeSpan.FromSeconds(call.TimeoutSeconds));
            using var request = Forward(http.Request, target, instance.Start);
            using var response = await _instances.SendAsync(request, limit.Token);
            http.Response.StatusCode = (int)response.StatusCode;
            foreach (var (name, values) in response.Headers.Concat(response.Content.Headers).Where(h => !HopByHop.Contains(h.Key)))
            {
                http.Response.Headers[name] = values.ToArray();
            }

            http.Response.Headers[StartHeader] = instance.Start;
            http.Response.Headers["x-funcscaler-assign-ms"] = Milliseconds(assigned);
            http.Response.Headers["x-funcscaler-call-ms"] = Milliseconds(Stopwatch.GetElapsedTime(start));
            await response.Content.CopyToAsync(http.Response.Body, limit.Token);
            fault = "";
            await http.Response.CompleteAsync();
            return false;
        }
        catch (HttpRequestException e) when (e.HttpRequestError == HttpRequestError.ConnectionError)
        {
            fault = e.Message;
            return true;
        }
        catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException)
        {
            // Of a caller that has gone away the work may go on: an instance that serves one request at a time is destroyed for it.
            fault = call.Concurrency > 1 && http.RequestAborted.IsCancellationRequested ? "" : e.Message;
            if (http.Response.HasStarted)
            {
                http.Abort();
            }
            else
            {
                http.Response.Clear();
                await (e is OperationCanceledException
                    ? AnswerAsync(http, StatusCodes.Status504GatewayTimeout, $"the function did not answer within {call.TimeoutSeconds} s")
                    : AnswerAsync(http, StatusCodes.Status502BadGateway, "the instance broke the call off"));
            }

            return false;
        }
        finally
        {
            // Also when the caller has gone away; an instance that failed it, or refused the connection, serves no other.
            await scaler.ReleaseAsync(instance, Stopwatch.GetElapsedTime(start), fault);
        }
    }

    private static Task AnswerAsync(HttpContext http, int status, string sentence)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = "text/plain; charset=utf-8";
        return http.RequestAborted.IsCancellationRequested ? Task.CompletedTask : http.Response.WriteAsync(sentence + "\n");
    }

    private static HttpRequestMessage Forward(HttpRequest from, Uri to, string start)
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

        // The function may want to know as well; what the caller says of it does not count.
        request.Headers.Remove(StartHeader);
        request.Headers.Add(StartHeader, start);
        return request;
    }

    private static string Milliseconds(TimeSpan time) => time.TotalMilliseconds.ToString("0.0", CultureInfo.InvariantCulture);
}
