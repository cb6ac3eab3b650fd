using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace FuncScaler.UnaryGrpc;

/// <summary>Unary gRPC on Kestrel.</summary>
public static class UnaryGrpcServer
{
    /// <summary>
    /// Answers every request whose content type is application/grpc, known method or not, and passes all others on.
    /// </summary>
    public static IApplicationBuilder UseUnaryGrpc(
        this IApplicationBuilder app, UnaryRoutes routes, UnaryGrpcServerOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(app);
        ArgumentNullException.ThrowIfNull(routes);
        options ??= new UnaryGrpcServerOptions();
        ArgumentOutOfRangeException.ThrowIfGreaterThan(options.MaxMessageBytes, MessageFrame.LargestLimit, nameof(options));
        routes.Freeze();
        ILogger logger = app.ApplicationServices.GetRequiredService<ILoggerFactory>().CreateLogger(typeof(UnaryGrpcServer).FullName!);
        return app.Use(next => new UnaryGrpcMiddleware(next, routes, options, logger).InvokeAsync);
    }

    /// <summary>
    /// Listens for HTTP/2 without TLS and without an upgrade ("prior knowledge"), as gRPC clients speak it. The HTTP/2 limits
    /// are Kestrel's own, so they hold for its other endpoints too.
    /// </summary>
    public static void ListenUnaryGrpc(this KestrelServerOptions options, IPAddress address, int port)
    {
        ArgumentNullException.ThrowIfNull(options);
        ApplyUnaryGrpcLimits(options);
        options.Listen(address, port, static listen => listen.Protocols = HttpProtocols.Http2);
    }

    /// <summary>The limits of <see cref="ListenUnaryGrpc"/>, for endpoints that are set up otherwise (TLS, sockets).</summary>
    public static void ApplyUnaryGrpcLimits(this KestrelServerOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.AddServerHeader = false;
        Http2Limits http2 = options.Limits.Http2;
        // A burst of cold starts holds one stream per waiting request, and clients keep to one connection.
        http2.MaxStreamsPerConnection = 16_384;
        // A message of common size fits the stream's window, and a thousand of them do not stall on the connection's.
        http2.InitialStreamWindowSize = 1 << 20;
        http2.InitialConnectionWindowSize = 16 << 20;
        // A peer that vanished without a word must not hold instances: its calls are cancelled after half a minute or so.
        http2.KeepAlivePingDelay = TimeSpan.FromSeconds(20);
        http2.KeepAlivePingTimeout = TimeSpan.FromSeconds(10);
    }
}
