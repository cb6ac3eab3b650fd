using System.Net;
using System.Security.Cryptography;
using System.Text;
using FuncScaler.FunctionsHost.Protocol;
using FuncScaler.FunctionsHost.Workers;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Yarp.ReverseProxy.Forwarder;

namespace FuncScaler.FunctionsHost.Http;

/// <summary>
/// Takes callers' requests as the Functions host does: asks for the function's key, forwards the request to the address that the worker
/// announced, and sends the invocation beside it; the worker joins the two by the invocation's id.
/// </summary>
internal sealed class HttpFrontEnd : IAsyncDisposable
{
    private const string KeyHeader = "x-functions-key";

    private const string InvocationHeader = "x-ms-invocation-id";

    private readonly HttpMessageInvoker _client = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, UseProxy = false });
    private readonly WebApplication _server;
    private readonly WorkerPool _workers;
    private readonly FunctionInvoker _invoker;
    private readonly IHttpForwarder _forwarder;
    private readonly byte[]? _key;
    private readonly Action<string> _log;

    private HttpFrontEnd(WebApplication server, HostOptions options, WorkerPool workers, FunctionInvoker invoker)
    {
        _server = server;
        _workers = workers;
        _invoker = invoker;
        _forwarder = server.Services.GetRequiredService<IHttpForwarder>();
        _key = options.FunctionKey is { } key ? Encoding.UTF8.GetBytes(key) : null;
        _log = options.Log;
    }

    public Uri Url => new(_server.Urls.First());

    public static async Task<HttpFrontEnd> StartAsync(
        AppFolder app, HostOptions options, WorkerPool workers, FunctionInvoker invoker, CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, options.HttpPort));
        builder.Services.AddHttpForwarder();
        var server = builder.Build();
        var front = new HttpFrontEnd(server, options, workers, invoker);
        foreach (var function in app.Functions.Where(f => f.TriggerType == "httpTrigger"))
        {
            var route = string.Join('/', new[] { app.RoutePrefix, (string?)function.Trigger["route"] ?? function.Name }.Where(p => p.Length > 0));
            var methods = function.Trigger["methods"]?.AsArray().Select(m => ((string)m!).ToUpperInvariant()) ?? ["GET", "POST"];
            server.MapMethods("/" + route, methods, http => front.ServeAsync(http, function));
        }

        server.MapGet("/stand-in", () => Results.Json(new
        {
            workers = workers.Ready.Select(w => w.ProcessId),
            started = workers.Started,
            running = workers.Ready.Sum(w => w.Running),
            storage = options.Meter?.Counts,
        }));
        server.MapDelete("/stand-in", () => options.Meter?.Reset());
        await server.StartAsync(cancellationToken);
        return front;
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource();
        await now.CancelAsync();
        await _server.StopAsync(now.Token);
        await _server.DisposeAsync();
        _client.Dispose();
    }

    private async Task ServeAsync(HttpContext http, AppFunction function)
    {
        if (!MayCall(http.Request, function))
        {
            http.Response.StatusCode = StatusCodes.Status401Unauthorized;
            return;
        }

        var worker = await _workers.NextAsync(http.RequestAborted);
        var invocation = Guid.NewGuid().ToString();
        http.Request.Headers[InvocationHeader] = invocation;
        var forwarding = _forwarder.SendAsync(http, worker.HttpUri!.AbsoluteUri, _client, ForwarderRequestConfig.Empty).AsTask();
        try
        {
            await _invoker.InvokeAsync(worker, invocation, function, new TypedData { Http = new RpcHttp() }, http.RequestAborted);
            await forwarding;
        }
        catch (Exception e) when (e is FunctionFailedException or WorkerProcessExitException)
        {
            _log($"host: {function.Name}: {e.Message}");
            await forwarding;
            if (!http.Response.HasStarted)
            {
                http.Response.StatusCode = StatusCodes.Status500InternalServerError;
            }
        }
    }

    private bool MayCall(HttpRequest request, AppFunction function)
    {
        if (_key is null || string.Equals((string?)function.Trigger["authLevel"], "anonymous", StringComparison.OrdinalIgnoreCase))
        {
            return true;
        }

        var sent = request.Headers.TryGetValue(KeyHeader, out var header) ? header.ToString() : request.Query["code"].ToString();
        return CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(sent), _key);
    }
}
