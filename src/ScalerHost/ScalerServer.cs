using System.Net;
using System.Net.Sockets;
using FuncScaler.Nodes;
using FuncScaler.Policies;
using FuncScaler.Runtime;
using FuncScaler.Runtime.Dashboard;
using FuncScaler.Runtime.Limits;
using FuncScaler.Runtime.Service;
using FuncScaler.Runtime.Telemetry;
using FuncScaler.ScalerHost.Security;
using FuncScaler.SlotBackends;
using FuncScaler.SlotBackends.Budget;
using FuncScaler.SlotBackends.Nodes;
using Grpc.AspNetCore.Server;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace FuncScaler.ScalerHost;

/// <summary>Settings of a <see cref="ScalerServer"/>.</summary>
public sealed record ScalerServerOptions
{
    /// <summary>Where to listen; loopback unless told otherwise.</summary>
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    /// <summary>The port of the gRPC Scaler service; 0 for any free one.</summary>
    public int GrpcPort { get; init; } = 9001;

    /// <summary>The port of the JSON API and the dashboard; 0 for any free one, null for none.</summary>
    public int? HttpPort { get; init; } = 8080;

    /// <summary>Whether to serve <c>GET /metrics</c>; true by default. They are of the whole process.</summary>
    public bool Metrics { get; init; } = true;

    public PolicyChoice Policy { get; init; } = PolicyCatalog.Parse(PolicyCatalog.Default);

    public ScalerRuntimeOptions Runtime { get; init; } = new();

    /// <summary>How long a stop waits for instances in use.</summary>
    public TimeSpan DrainTimeout { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>Leave instances alive when stopping.</summary>
    public bool KeepInstances { get; init; }

    public LogLevel LogLevel { get; init; } = LogLevel.Warning;

    /// <summary>When assigns are let in; null for always.</summary>
    public AdmissionOptions? Admission { get; init; }

    /// <summary>Who may call; null for everybody who reaches the ports. Disposed with the server.</summary>
    public SecurityWatch? Security { get; init; }

    /// <summary>The limits of functions; null for none. Disposed with the server.</summary>
    public LimitsWatch? Limits { get; init; }

    /// <summary>
    /// What a second of waiting is worth under the 2020 contest's score: its Scheduler is served too, beside the 2023 contest's. Null for not at all.
    /// Needs a backend of nodes.
    /// </summary>
    public SharedNodePrice? NodePrice { get; init; }

    /// <summary>The OpenTelemetry collector; null for the one that <see cref="TelemetryExport.OtlpVariable"/> names, if any.</summary>
    public Uri? Otlp { get; init; }

    /// <summary>
    /// The connection string of Application Insights; null for the one that <see cref="TelemetryExport.AzureMonitorVariable"/> has, if any.
    /// </summary>
    public string? AzureMonitor { get; init; }
}

/// <summary>The scaler as a service: gRPC and JSON in front, the runtime behind.</summary>
public sealed class ScalerServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ScalerServerOptions _options;
    private readonly Admission? _admission;
    private readonly IDisposable? _metrics;
    private bool _stopped;

    /// <param name="backend">Where slots come from; disposed with the server.</param>
    /// <param name="options">Settings.</param>
    /// <param name="time">The clock.</param>
    /// <exception cref="CommandException">A connection string of Application Insights is none.</exception>
    public ScalerServer(ISlotBackend backend, ScalerServerOptions options, TimeProvider time)
    {
        _options = options;
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Logging.AddLineConsole(withStackTraces: options.LogLevel <= LogLevel.Information);
        builder.Logging.SetMinimumLevel(options.LogLevel);

        // A start that fails ends in an exception, which the command reports in a sentence of its own.
        builder.Logging.AddFilter("Microsoft.Extensions.Hosting", LogLevel.None);
        if (options.LogLevel != LogLevel.None)
        {
            builder.Logging.AddFilter(typeof(AuditLog).FullName, LogLevel.Information);
            builder.Logging.AddFilter(typeof(LimitsWatch).FullName, LogLevel.Information);
        }

        // A call that its caller resets is an error to gRPC's handler: callers that leave must not fill the log.
        var lines = new TokenBuckets([new RateLimit(20, TimeSpan.FromMinutes(1))], time);
        builder.Logging.AddFilter("Grpc.AspNetCore.Server.ServerCallHandler", level => level >= options.LogLevel && (level < LogLevel.Error || lines.TryTake(out _)));
        builder.Services.Configure<Microsoft.Extensions.Logging.Console.ConsoleLoggerOptions>(console => console.LogToStandardErrorThreshold = LogLevel.Trace);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxRequestBodySize = 1 << 20;
            var secure = options.Security.SecurePort();
            kestrel.ListenGrpc(options.Address, options.GrpcPort, secure, options.Admission is null ? null : () => _admission);
            if (options.HttpPort is { } httpPort)
            {
                kestrel.Listen(options.Address, httpPort, listen => secure?.Invoke(listen));
            }
        });
        try
        {
            builder.Services.AddTelemetryExport(builder.Configuration, options.Otlp, options.AzureMonitor);
        }
        catch (FormatException e)
        {
            throw new CommandException(CommandException.BadUsage, e.Message, e);
        }

        builder.Services.AddScalerGrpc();
        builder.Services.AddSingleton<IScaler>(_ => Runtime!);
        builder.Services.AddSingleton<ScalerService>();
        builder.Services.AddSingleton(services => new NodeSchedulerService(
            services.GetRequiredService<IScaler>(), options.Runtime.Pool, time, options.NodePrice, new MemorySharing()));
        builder.Services.AddSingleton<ScalerJsonApi>();
        builder.Services.AddSingleton(time);
        builder.Services.AddSingleton<IDashboardSource>(_ => Runtime!);
        builder.Services.AddDashboard();
        _app = builder.Build();
        Runtime = new ScalerRuntime(backend, options.Policy, options.Runtime, time, _app.Services.GetRequiredService<ILogger<ScalerRuntime>>());
        if (options.Admission is { } limits)
        {
            // First of all: to find out who calls costs more than to refuse.
            _admission = new Admission(limits, time, Runtime.HoldCreates);
            _app.Use(_admission.InvokeAsync);
        }

        if (options.Security is { } security)
        {
            _app.UseGuard(security, time);
        }

        _app.MapScalerGrpc();
        if (options.NodePrice is not null)
        {
            _app.MapGrpcService<NodeSchedulerService>();
        }

        SetServing(false);
        _app.MapScalerJson(loopbackOnly: IPAddress.IsLoopback(options.Address));
        InstanceLogs.Map(_app, backend);
        _app.MapDashboard();
        _app.MapEndpointList();
        _metrics = options.Metrics ? PrometheusEndpoint.Map(_app) : null;
    }

    public ScalerRuntime Runtime { get; }

    /// <summary>The port of the gRPC service, once started.</summary>
    public int GrpcPort { get; private set; }

    /// <summary>The port of the JSON API, once started; null when there is none.</summary>
    public int? HttpPort { get; private set; }

    /// <summary>Where a browser of this machine finds the dashboard, once started; null where there is no JSON API.</summary>
    public Uri? Dashboard => HttpPort is not { } port ? null : new UriBuilder
    {
        Scheme = _options.Security.SecurePort() is null ? Uri.UriSchemeHttp : Uri.UriSchemeHttps,
        Host = _options.Address.Equals(IPAddress.Any) || _options.Address.Equals(IPAddress.IPv6Any) ? "localhost" : _options.Address.ToString(),
        Port = port,
    }.Uri;

    /// <summary>Starts listening.</summary>
    /// <exception cref="CommandException">A port is taken, or may not be opened.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _app.StartAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (IOException e) when (e.InnerException is AddressInUseException)
        {
            throw new CommandException(
                CommandException.Failed,
                $"{e.Message.TrimEnd('.')}: stop what listens there, or choose other ports with --grpc-port and --http-port.",
                e);
        }
        catch (SocketException e)
        {
            throw new CommandException(
                CommandException.Failed,
                $"Cannot listen on {_options.Address} ports {_options.GrpcPort} and {_options.HttpPort}: {e.Message}.",
                e);
        }

        var ports = _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses
            .Select(a => new Uri(a).Port).ToArray();
        GrpcPort = ports[0];
        HttpPort = ports.Length > 1 ? ports[1] : null;
    }

    internal IServiceProvider Services => _app.Services;

    /// <summary>How many watch the dashboard now.</summary>
    internal int Viewers => _app.Services.GetRequiredService<DashboardFeed>().Viewers;

    /// <summary>What is mapped, each as <c>GET /healthz</c>; gRPC's own routes left out.</summary>
    internal IEnumerable<string> Routes => _app.Services.GetRequiredService<EndpointDataSource>().Endpoints
        .OfType<RouteEndpoint>()
        .Where(e => e.Metadata.GetMetadata<GrpcMethodMetadata>() is null)
        .SelectMany(e => (e.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods ?? []).Select(method => $"{method} {e.RoutePattern.RawText}"));

    /// <summary>Says by the health service that requests are welcome.</summary>
    public void SetServing(bool serving) => ScalerGrpc.SetServing(_app.Services, serving);

    /// <summary>Follows the limits file from now on. What a former run has left should be known by then, so that no floor is made twice.</summary>
    public void FollowLimits() =>
        _options.Limits?.Start(Runtime.SetLimits, Runtime.SetOtherLimits, _app.Services.GetRequiredService<ILogger<LimitsWatch>>(), Runtime.SetGroups);

    /// <summary>Stops: turns new requests away, gives instances back (or leaves them), then stops listening.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (_stopped)
        {
            return;
        }

        _stopped = true;
        SetServing(false);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(_options.DrainTimeout);
        await Runtime.StopAsync(_options.KeepInstances, patience.Token).ConfigureAwait(false);
        using var lastCalls = new CancellationTokenSource(TimeSpan.FromSeconds(2));
        await _app.StopAsync(lastCalls.Token).ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync(CancellationToken.None).ConfigureAwait(false);
        _admission?.Dispose();
        _metrics?.Dispose();
        _options.Limits?.Dispose();
        await Runtime.DisposeAsync().ConfigureAwait(false);
        _options.Security?.Dispose();
        await _app.DisposeAsync().ConfigureAwait(false);
    }
}
