using System.Net;
using System.Security.Cryptography;
using System.Text;
using FuncScaler.Runtime;
using FuncScaler.Runtime.Security;
using FuncScaler.Runtime.Service;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace FuncScaler.ScalerFunctions.Hosting;

/// <summary>
/// The contract over native gRPC on a port of the worker's own, where one is set: the same service as the self-host's, for local
/// runs, containers and Azure Container Apps. The triggers cannot: the Functions front end passes no HTTP/2 trailers.
/// </summary>
internal sealed partial class GrpcPortService(
    ScalerService service,
    IOptions<ScalerAppOptions> options,
    TimeProvider time,
    ILoggerFactory loggers) : IHostedService, IAsyncDisposable
{
    /// <summary>The metadata that holds a caller's key; the triggers take it from a header of the same name.</summary>
    public const string KeyHeader = "x-functions-key";

    private readonly ILogger _logger = loggers.CreateLogger<GrpcPortService>();
    private WebApplication? _app;
    private FileWatch<TlsSettings>? _tls;

    /// <summary>The port, once started; null where there is none.</summary>
    public int? Port { get; private set; }

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var grpc = options.Value.Grpc;
        if (grpc.Port is not { } port)
        {
            return;
        }

        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(loggers);
        builder.Services.AddScalerGrpc();
        builder.Services.AddSingleton(service);
        _tls = grpc.Tls is null ? null : new FileWatch<TlsSettings>(_ => grpc.ReadTls(), time);
        _tls?.Start(tls => LogReloaded(tls.Certificate.TargetCertificate.NotAfter.ToUniversalTime()), e => LogNotReloaded(e.Message));
        Action<ListenOptions>? secure = _tls is null ? null : listen => TlsSettings.Use(listen, () => _tls.Current);
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenGrpc(IPAddress.Parse(grpc.Address), port, secure));
        _app = builder.Build();
        if (grpc.AsksCallers)
        {
            var key = string.IsNullOrEmpty(grpc.Key) ? null : SHA256.HashData(Encoding.UTF8.GetBytes(grpc.Key));

            // A certificate was verified when the connection was made.
            _app.Use((http, next) => http.Connection.ClientCertificate is not null || (key is not null && HasKey(http.Request, key))
                ? next(http)
                : key is null ? ScalerRefusal.SendAsync(http, StatusCode.Unauthenticated, "Show a certificate that this scaler trusts.")
                : ScalerRefusal.SendAsync(http, StatusCode.Unauthenticated, $"Send the scaler's key in the metadata {KeyHeader}."));
        }

        _app.MapScalerGrpc();
        ScalerGrpc.SetServing(_app.Services, true);
        try
        {
            await _app.StartAsync(cancellationToken);
        }
        catch (IOException e)
        {
            throw new InvalidOperationException(
                $"Native gRPC cannot listen on {grpc.Address}:{port} ({e.Message.TrimEnd('.')}): set Scaler:Grpc:Port to a free port, or leave it out.", e);
        }

        Port = _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Select(a => new Uri(a).Port).First();
        LogListening(grpc.Address, Port.Value, _tls is null ? "" : ", TLS", grpc.AsksCallers ? "known callers" : "anybody there");
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (_app is not null)
        {
            ScalerGrpc.SetServing(_app.Services, false);
            await _app.StopAsync(cancellationToken);
        }
    }

    public ValueTask DisposeAsync()
    {
        _tls?.Dispose();
        return _app?.DisposeAsync() ?? ValueTask.CompletedTask;
    }

    /// <summary>Compares hashes: the time that this takes tells nothing of the key, not even its length.</summary>
    private static bool HasKey(HttpRequest request, byte[] sha256) =>
        CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(request.Headers[KeyHeader].ToString())), sha256);

    [LoggerMessage(200, LogLevel.Information, "Native gRPC on {Address}:{Port}{Tls}, for {Callers}")]
    private partial void LogListening(string address, int port, string tls, string callers);

    [LoggerMessage(217, LogLevel.Information, "Read the certificate of native gRPC anew, it ends {Ends:u}")]
    private partial void LogReloaded(DateTime ends);

    [LoggerMessage(218, LogLevel.Error, "The certificate of native gRPC has changed and cannot be used, so the former one stays in force: {Why}")]
    private partial void LogNotReloaded(string why);
}
