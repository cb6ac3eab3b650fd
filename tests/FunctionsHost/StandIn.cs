using System.Net;
using FuncScaler.FunctionsHost.Durable;
using FuncScaler.FunctionsHost.Http;
using FuncScaler.FunctionsHost.Workers;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace FuncScaler.FunctionsHost;

/// <summary>
/// A stand-in for the Azure Functions host: starts an app's workers and speaks the worker protocol with them, forwards HTTP, fires timers,
/// and hosts the Durable extension. README.md beside this file says where it differs from the host.
/// </summary>
internal sealed class StandIn : IAsyncDisposable
{
    private readonly AppFolder _app;
    private readonly WebApplication _rpc;
    private readonly FunctionInvoker _invoker;
    private HttpFrontEnd? _http;
    private DurableJobHost? _durable;
    private TimerTriggers? _timers;

    private StandIn(HostOptions options)
    {
        _app = AppFolder.Read(options.App);
        Workers = new WorkerPool(_app, options.Workers, options.Log);
        _invoker = new FunctionInvoker(Workers);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2));
        builder.Services.AddSingleton(new FunctionRpcService(Workers));
        builder.Services.AddGrpc(grpc =>
        {
            grpc.MaxReceiveMessageSize = null;
            grpc.MaxSendMessageSize = null;
        });
        _rpc = builder.Build();
        _rpc.MapGrpcService<FunctionRpcService>();
    }

    public WorkerPool Workers { get; }

    /// <summary>Where callers send their requests.</summary>
    public Uri Url => _http!.Url;

    /// <summary>Starts everything and returns when the workers are ready.</summary>
    public static async Task<StandIn> StartAsync(HostOptions options, CancellationToken cancellationToken)
    {
        var host = new StandIn(options);
        try
        {
            await host._rpc.StartAsync(cancellationToken);
            host._http = await HttpFrontEnd.StartAsync(host._app, options, host.Workers, host._invoker, cancellationToken);
            var settings = new Dictionary<string, string>(options.Settings) { ["AzureWebJobsStorage"] = options.Storage };
            settings.TryAdd("Scaler__HostUrl", host.Url.AbsoluteUri);
            var workers = host.Workers.StartAsync(new Uri(host._rpc.Urls.First()), settings, cancellationToken);
            host._durable = await DurableJobHost.StartAsync(host._app, options, host.Url, host.Workers, host._invoker, cancellationToken);
            await workers;
            if (options.Timers)
            {
                host._timers = new TimerTriggers(host._app, host._invoker, options.Log);
            }

            return host;
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }
    }

    /// <summary>Runs a timer's function now, whatever its schedule.</summary>
    public Task FireAsync(string timer, CancellationToken cancellationToken) => TimerTriggers.FireAsync(_app.Function(timer), _invoker, cancellationToken);

    /// <summary>Stops in order: no new work, then the workers, then the host.</summary>
    public async Task StopAsync()
    {
        if (_timers is not null)
        {
            await _timers.DisposeAsync();
            _timers = null;
        }

        await Workers.StopAsync();
        await _durable!.StopAsync();
    }

    /// <summary>Ends at once, workers killed.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_timers is not null)
        {
            await _timers.DisposeAsync();
        }

        await Workers.DisposeAsync();
        if (_durable is not null)
        {
            await _durable.DisposeAsync();
        }

        if (_http is not null)
        {
            await _http.DisposeAsync();
        }

        await _rpc.DisposeAsync();
    }
}
