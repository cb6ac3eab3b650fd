using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using FuncScaler.ContestSimulator.Traces;
using FuncScaler.Contract;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Status = Grpc.Core.Status;

namespace FuncScaler.ContestSimulator.Platform;

/// <summary>
/// The contest's platform container in one object: the Platform gRPC service for the scaler, the HTTP control server, and the replay.
/// One run at a time. Safe for concurrent use.
/// </summary>
/// <remarks>
/// The control server: POST /start, GET / (the result), GET /report (the result and what was measured besides), GET /healthz.
/// </remarks>
public sealed partial class ContestPlatformServer : IAsyncDisposable
{
    private const int MaxStartBodyBytes = 64 * 1024;

    /// <summary>Bytes, of a scaler's requests and replies: a few names each.</summary>
    private const int LargestMessage = 64 * 1024;

    private const int WarmUpCalls = 64;
    private static readonly TimeSpan ShutdownTimeout = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan HealthRetry = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan HealthTimeout = TimeSpan.FromSeconds(2);

    private readonly ContestPlatformOptions _options;
    private readonly ILoggerFactory _loggers;
    private readonly ILogger _log;
    private readonly PlatformService _platform;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _gate = new();
    private GrpcChannel? _scaler;
    private WebApplication? _grpc;
    private WebApplication? _control;
    private ContestReplay? _active;
    private Task _background = Task.CompletedTask;
    private RunReport? _last;

    /// <param name="options">How it behaves and where it listens.</param>
    /// <param name="loggers">Where its logs go; nowhere when null.</param>
    public ContestPlatformServer(ContestPlatformOptions options, ILoggerFactory? loggers = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        _loggers = loggers ?? NullLoggerFactory.Instance;
        _log = _loggers.CreateLogger<ContestPlatformServer>();
        _platform = new PlatformService(options);
        ScalerAddress = options.ScalerAddress;
    }

    /// <summary>Where the scaler serves gRPC; for whoever starts the scaler after the platform, to be set before the first run.</summary>
    public Uri ScalerAddress { get; set; }

    /// <summary>A page at <c>GET /</c> for browsers; null for none. To be set before <see cref="StartAsync"/>.</summary>
    public ControlPage? Page { get; set; }

    /// <summary>The port of the Platform service, once started.</summary>
    public int PlatformPort { get; private set; }

    /// <summary>The port of the control server, once started.</summary>
    public int ControlPort { get; private set; }

    /// <summary>The report of the current run, else of the last one; null before the first.</summary>
    public RunReport? Report
    {
        get
        {
            lock (_gate)
            {
                return _active?.Snapshot() ?? _last;
            }
        }
    }

    /// <summary>What the platform knows now.</summary>
    public PlatformReading Read()
    {
        var report = Report;
        lock (_platform.Gate)
        {
            var state = _platform.State;
            return new PlatformReading(_platform.NowUs / 1e6, report, state.DestroyedSlots, state.FunctionCounts);
        }
    }

    /// <summary>Opens both ports. To be called once.</summary>
    /// <exception cref="ContestPlatformException">A port cannot be opened.</exception>
    public async Task StartAsync(CancellationToken cancellation = default)
    {
        _grpc = Build(
            kestrel =>
            {
                // Each slot that is being created or initialised holds a stream, and a scaler may keep to one connection.
                kestrel.Limits.Http2.MaxStreamsPerConnection = 16_384;
                kestrel.Listen(_options.ListenAddress, _options.PlatformPort, listen => listen.Protocols = HttpProtocols.Http2);
            },
            services => services.AddSingleton(_platform).AddGrpc(grpc => grpc.MaxReceiveMessageSize = LargestMessage));
        _grpc.MapGrpcService<PlatformService>();
        PlatformPort = await ListenAsync(_grpc, _options.PlatformPort, cancellation).ConfigureAwait(false);

        _control = Build(
            kestrel =>
            {
                kestrel.Limits.MaxRequestBodySize = MaxStartBodyBytes;
                kestrel.Listen(_options.ListenAddress, _options.ControlPort, listen => listen.Protocols = HttpProtocols.Http1);
            },
            services =>
            {
                services.AddRouting();
                Page?.AddServices(services);
            });

        // A page in a browser must not begin runs: they end what runs already is measured by.
        var loopbackOnly = IPAddress.IsLoopback(_options.ListenAddress);
        _control.Use((http, next) => !HttpMethods.IsPost(http.Request.Method) ? next(http)
            : WebPages.Refusal(http.Request.Headers.Origin.ToString(), http.Request.Headers["Sec-Fetch-Site"].ToString(), http.Request.Host.Value ?? "", loopbackOnly, "platform") is { } why
                ? RefuseAsync(http, StatusCodes.Status403Forbidden, why)
                : next(http));

        // At / the contest's programs read the result, and browsers, which ask for HTML, get the page.
        _control.Use((http, next) =>
        {
            http.Response.Headers.Vary = "Accept";
            return IsResult(http.Request) ? AnswerAsync(http) : next(http);
        });
        Page?.Map(_control);
        _control.MapFallback("{*path}", AnswerAsync);
        ControlPort = await ListenAsync(_control, _options.ControlPort, cancellation).ConfigureAwait(false);
        LogListening(_log, _options.ListenAddress, PlatformPort, ControlPort);
    }

    /// <summary>Ends the current run, if any, and closes both ports; slots are gone with it.</summary>
    public async Task StopAsync(CancellationToken cancellation = default)
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        Task background;
        lock (_gate)
        {
            background = _background;
        }

        await background.ConfigureAwait(false);
        // The control server first: a contestant's scaler stops when it is gone, while it can still give its slots back.
        foreach (var server in new[] { _control, _grpc })
        {
            if (server is not null)
            {
                await server.StopAsync(cancellation).ConfigureAwait(false);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync(CancellationToken.None).ConfigureAwait(false);
        foreach (var server in new[] { _control, _grpc })
        {
            if (server is not null)
            {
                await server.DisposeAsync().ConfigureAwait(false);
            }
        }

        _scaler?.Dispose();
    }

    /// <summary>Makes a run and returns its result; an early end is in the result's <see cref="RunReport.Error"/>.</summary>
    /// <exception cref="ContestPlatformException">Another run goes on, or the scaler does not answer.</exception>
    /// <exception cref="TraceFormatException">Two functions of the trace have the same key.</exception>
    public async Task<RunReport> RunAsync(ContestRun run, IProgress<RunProgress>? progress = null, CancellationToken cancellation = default)
    {
        var replay = new ContestReplay(_platform, new Scaler.ScalerClient(OpenScaler()), run, _options);
        if (!TryBegin(replay))
        {
            throw new ContestPlatformException("A run goes on: wait for its end before another is started.");
        }

        return await MakeAsync(replay, run, progress, cancellation).ConfigureAwait(false);
    }

    private GrpcChannel OpenScaler()
    {
        lock (_gate)
        {
            return _scaler ??= GrpcChannel.ForAddress(ScalerAddress, new GrpcChannelOptions
            {
                HttpHandler = new SocketsHttpHandler { EnableMultipleHttp2Connections = true, UseProxy = false },
                DisposeHttpClient = true,
                MaxReceiveMessageSize = LargestMessage,

                // A scaler that is being started is asked again as often as its health is.
                InitialReconnectBackoff = HealthRetry,
                MaxReconnectBackoff = HealthRetry,
            });
        }
    }

    private bool TryBegin(ContestReplay replay)
    {
        lock (_gate)
        {
            // Whoever reads that a run has ended may begin another at once.
            if (_active is { HasEnded: false } || _stopping.IsCancellationRequested)
            {
                return false;
            }

            _active = replay;
            return true;
        }
    }

    private async Task<RunReport> MakeAsync(
        ContestReplay replay, ContestRun run, IProgress<RunProgress>? progress, CancellationToken cancellation)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellation, _stopping.Token);
        LogRunBegins(_log, run.Id, run.Trace.Name);
        try
        {
            await WaitForScalerAsync(ended.Token).ConfigureAwait(false);
            var report = await replay.RunAsync(progress, ended.Token).ConfigureAwait(false);
            LogRunEnded(_log, run.Id, report.Score.Requests, report.Score.FailedRequests, report.Score.Total, report.Error ?? "none");
            return report;
        }
        catch (Exception error)
        {
            replay.Abandon(error is OperationCanceledException ? "cancelled before the first request" : error.Message);
            LogRunFailed(_log, error, run.Id);
            throw;
        }
        finally
        {
            lock (_gate)
            {
                if (_active == replay)
                {
                    _last = replay.Snapshot();
                    _active = null;
                }
            }
        }
    }

    /// <summary>
    /// Returns once the scaler answers gRPC. It is asked for its health, which concerns no request; that it has no health service is an
    /// answer too. Asking on for a moment opens the connection and compiles the code on the way, so that the first requests measure the
    /// scaler and not this process.
    /// </summary>
    private async Task WaitForScalerAsync(CancellationToken cancellation)
    {
        var time = _options.TimeProvider;
        var begin = time.GetTimestamp();
        var health = new Health.HealthClient(OpenScaler());
        while (await AskHealthAsync(health, cancellation).ConfigureAwait(false) is { } trouble)
        {
            if (time.GetElapsedTime(begin) >= _options.ScalerWait)
            {
                throw new ContestPlatformException(
                    $"The scaler at {ScalerAddress.Authority} did not answer within {_options.ScalerWait.TotalSeconds:0.###} s "
                    + $"({RemoteWords.Clean(trouble.Status.Detail)}): start it, or correct the address.",
                    trouble);
            }

            await Task.Delay(HealthRetry, time, cancellation).ConfigureAwait(false);
        }

        for (var i = 0; i < WarmUpCalls; i++)
        {
            await AskHealthAsync(health, cancellation).ConfigureAwait(false);
        }
    }

    /// <returns>Null when the scaler is ready, else why not.</returns>
    private static async Task<RpcException?> AskHealthAsync(Health.HealthClient scaler, CancellationToken cancellation)
    {
        try
        {
            var deadline = TimeProvider.System.GetUtcNow().UtcDateTime + HealthTimeout;
            var health = await scaler.CheckAsync(new HealthCheckRequest(), deadline: deadline, cancellationToken: cancellation).ConfigureAwait(false);
            return health.Status == HealthCheckResponse.Types.ServingStatus.NotServing
                ? new RpcException(new Status(StatusCode.Unavailable, "it says that it is not serving"))
                : null;
        }
        catch (RpcException answer) when (answer.StatusCode is StatusCode.Unimplemented or StatusCode.NotFound)
        {
            return null;
        }
        catch (RpcException) when (cancellation.IsCancellationRequested)
        {
            throw new OperationCanceledException(cancellation);
        }
        catch (RpcException trouble)
        {
            return trouble;
        }
    }

    private WebApplication Build(Action<KestrelServerOptions> listen, Action<IServiceCollection>? add = null)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddSingleton(_loggers);
        // An Init may take minutes; whoever stops the platform does not wait for it.
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = ShutdownTimeout);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            listen(kestrel);
        });
        add?.Invoke(builder.Services);
        return builder.Build();
    }

    private async Task<int> ListenAsync(WebApplication server, int port, CancellationToken cancellation)
    {
        try
        {
            await server.StartAsync(cancellation).ConfigureAwait(false);
        }
        catch (Exception error) when (error is IOException or SocketException)
        {
            throw new ContestPlatformException(
                $"Port {port} on {_options.ListenAddress} cannot be opened ({error.GetBaseException().Message}): "
                + "stop what uses it, or choose another.",
                error);
        }

        var addresses = server.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses;
        return new Uri(addresses.Single()).Port;
    }

    private static bool IsResult(HttpRequest request) =>
        request.Path.Value is "/" or "" && !request.Headers.Accept.ToString().Contains("text/html", StringComparison.OrdinalIgnoreCase);

    private Task AnswerAsync(HttpContext http)
    {
        var (method, path) = (http.Request.Method, http.Request.Path.Value);
        return (path, method) switch
        {
            ("/" or "", "GET") => AnswerAsync(http, StatusCodes.Status200OK, Report?.ToResultJson() ?? NoRunYet()),
            ("/report", "GET") => AnswerAsync(http, StatusCodes.Status200OK, Report?.ToDetailedJson() ?? NoRunYet()),
            ("/healthz", "GET") => AnswerAsync(http, StatusCodes.Status200OK, """{"status":"ok"}"""),
            ("/start", "POST") => StartRunAsync(http),
            ("/" or "" or "/report" or "/healthz" or "/start", _) => RefuseAsync(
                http, StatusCodes.Status405MethodNotAllowed, $"{path} takes {(path == "/start" ? "POST" : "GET")}, not {method}"),
            _ => RefuseAsync(
                http, StatusCodes.Status404NotFound, "there is GET /, GET /report, GET /healthz and POST /start"),
        };

        static string NoRunYet() => JsonSerializer.Serialize(ResultDocument.NoRunYet, ReadableJson.Context.ResultDocument);
    }

    private async Task StartRunAsync(HttpContext http)
    {
        ContestRun run;
        ContestReplay replay;
        try
        {
            var document = await ReadStartAsync(http).ConfigureAwait(false);
            run = Open(document);
            replay = new ContestReplay(_platform, new Scaler.ScalerClient(OpenScaler()), run, _options);
        }
        catch (Exception error) when (error is JsonException or Microsoft.AspNetCore.Http.BadHttpRequestException)
        {
            await RefuseAsync(
                http,
                StatusCodes.Status400BadRequest,
                "the body is not a JSON object with the strings id, requestFilePath and metaFilePath: " + error.Message)
                .ConfigureAwait(false);
            return;
        }
        catch (Exception error) when (error is TraceFormatException or ContestPlatformException
            or IOException or InvalidDataException or UnauthorizedAccessException or ArgumentException)
        {
            await RefuseAsync(http, StatusCodes.Status400BadRequest, error.Message).ConfigureAwait(false);
            return;
        }

        if (!TryStartInBackground(replay, run))
        {
            await RefuseAsync(
                http,
                StatusCodes.Status409Conflict,
                $"run \"{Report?.Id}\" goes on: poll GET / until its endTime is no longer \"{ResultDocument.NotEndYet}\"")
                .ConfigureAwait(false);
            return;
        }

        await AnswerAsync(
            http,
            StatusCodes.Status200OK,
            JsonSerializer.Serialize(new StartedDocument(run.Id), ReadableJson.Context.StartedDocument)).ConfigureAwait(false);
    }

    private bool TryStartInBackground(ContestReplay replay, ContestRun run)
    {
        if (!TryBegin(replay))
        {
            return false;
        }

        var background = Task.Run(async () =>
        {
            try
            {
                await MakeAsync(replay, run, null, CancellationToken.None).ConfigureAwait(false);
            }
            catch (Exception)
            {
                // Logged, and in the result's error field: nobody waits for this task but StopAsync.
            }
        });
        lock (_gate)
        {
            _background = background;
        }

        return true;
    }

    private static async Task<StartDocument> ReadStartAsync(HttpContext http)
    {
        if (http.Request.ContentLength == 0)
        {
            return new StartDocument(null, null, null);
        }

        var document = await JsonSerializer.DeserializeAsync(
            http.Request.Body, ReadableJson.Context.StartDocument, http.RequestAborted).ConfigureAwait(false);
        return document ?? throw new JsonException("it is null");
    }

    /// <summary>Opens what a /start names, and reads as far as the first request, so that a wrong path is refused at once.</summary>
    private ContestRun Open(StartDocument document)
    {
        var (requests, metas) = (document.RequestFilePath ?? string.Empty, document.MetaFilePath ?? string.Empty);
        ITrace trace;
        if (requests.Length == 0 && metas.Length == 0)
        {
            trace = _options.DefaultTrace
                ?? throw new ContestPlatformException(
                    "requestFilePath and metaFilePath are missing: the platform was given no trace of its own");
        }
        else if (requests.Length == 0 || metas.Length == 0)
        {
            throw new ContestPlatformException("requestFilePath and metaFilePath go together: name both");
        }
        else
        {
            trace = (_options.OpenTrace
                ?? throw new ContestPlatformException(
                    "the platform replays the trace it was given: leave requestFilePath and metaFilePath out"))
                (metas, requests);
        }

        foreach (var _ in trace.ReadRequests())
        {
            break;
        }

        return new ContestRun(string.IsNullOrEmpty(document.Id) ? trace.Name : document.Id, trace, requests, metas);
    }

    private static Task RefuseAsync(HttpContext http, int status, string error) =>
        AnswerAsync(http, status, JsonSerializer.Serialize(new ErrorDocument(error), ReadableJson.Context.ErrorDocument));

    private static Task AnswerAsync(HttpContext http, int status, string json)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = "application/json";
        return http.Response.WriteAsync(json + "\n", http.RequestAborted);
    }
}
