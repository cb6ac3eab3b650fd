using System.Net;
using FuncScaler.Contract;
using FuncScaler.Runtime.Service.Frames;
using FuncScaler.SlotBackends.Process;
using Grpc.HealthCheck;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using static Grpc.Health.V1.HealthCheckResponse.Types;

namespace FuncScaler.Runtime.Service;

/// <summary>How the Scaler service is served over gRPC, the same in every host. The host registers a <see cref="ScalerService"/>.</summary>
public static class ScalerGrpc
{
    /// <summary>The largest message that is read, bytes: the contract's are a few names long.</summary>
    public const int LargestMessage = 64 * 1024;

    private const int MostConnections = 10_000;

    /// <summary>The service's full name, under which its health is asked for.</summary>
    public static string ServiceName { get; } = Scaler.Descriptor.FullName;

    /// <summary>Registers what serves gRPC: the service, its health and reflection.</summary>
    public static IServiceCollection AddScalerGrpc(this IServiceCollection services)
    {
        services.AddGrpc(grpc => grpc.MaxReceiveMessageSize = LargestMessage);
        services.AddGrpcReflection();

        // The host knows by itself when it serves: it sets the states, and no check is made periodically.
        services.AddGrpcHealthChecks(health =>
        {
            health.Services.Clear();
            health.UseHealthChecksCache = true;
        });
        return services;
    }

    /// <summary>
    /// Serves the contract, its health and reflection on a server of the host's own; over gRPC-Web too, which HTTP/1.1 suffices for.
    /// </summary>
    public static void MapScalerGrpc(this WebApplication app)
    {
        app.UseGrpcWeb(new GrpcWebOptions { DefaultEnabled = true });
        app.MapGrpcService<ScalerService>();
        app.MapGrpcHealthChecksService();
        app.MapGrpcReflectionService();
    }

    /// <summary>Tells the health service's callers whether requests are welcome, of the whole server and of the Scaler service.</summary>
    public static void SetServing(IServiceProvider services, bool serving)
    {
        var health = services.GetRequiredService<HealthServiceImpl>();
        var status = serving ? ServingStatus.Serving : ServingStatus.NotServing;
        health.SetStatus("", status);
        health.SetStatus(ServiceName, status);
    }

    /// <summary>
    /// Listens for HTTP/2 without an upgrade ("prior knowledge"), as gRPC clients speak it. The HTTP/2 limits are Kestrel's own, so they
    /// hold for its other endpoints too.
    /// </summary>
    /// <param name="options">Kestrel's.</param>
    /// <param name="address">Where to listen.</param>
    /// <param name="port">The port; 0 for any free one.</param>
    /// <param name="secure">Puts TLS in front; null for none.</param>
    /// <param name="admission">Says which assigns are refused in an overload; null for none.</param>
    public static void ListenGrpc(
        this KestrelServerOptions options, IPAddress address, int port, Action<ListenOptions>? secure = null, Func<Admission?>? admission = null)
    {
        options.AddServerHeader = false;

        // Of what one machine can serve; beyond it, connections are refused at once instead of served slowly. Each port counts for itself,
        // and half of the descriptors are for instances.
        options.Limits.MaxConcurrentConnections = Math.Clamp((Descriptors.Left() ?? long.MaxValue) / 4, 1, MostConnections);
        var http2 = options.Limits.Http2;

        // A burst of cold starts holds one stream per waiting request, and clients keep to one connection.
        http2.MaxStreamsPerConnection = 16_384;

        // A message of common size fits the stream's window, and a thousand of them do not stall on the connection's.
        http2.InitialStreamWindowSize = 1 << 20;
        http2.InitialConnectionWindowSize = 16 << 20;

        if (admission is not null)
        {
            // Without a table of header fields a request can be refused unread. Requests are some hundred bytes longer for it.
            http2.HeaderTableSize = 0;
        }

        // A peer that vanished without a word must not hold instances: its calls are cancelled after half a minute or so.
        http2.KeepAlivePingDelay = TimeSpan.FromSeconds(20);
        http2.KeepAlivePingTimeout = TimeSpan.FromSeconds(10);
        options.Listen(address, port, listen =>
        {
            listen.Protocols = HttpProtocols.Http2;

            // First, so that frames are watched behind it.
            secure?.Invoke(listen);
            listen.Use(next => FrameWatch.Use(next, TimeProvider.System, admission ?? (static () => null)));
        });
    }
}
