using System.Net;
using System.Net.Sockets;
using FuncScaler.UnaryGrpc;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace FuncScaler.Tests.Contracts;

/// <summary>A Kestrel server on a free loopback port, for as long as a test needs it.</summary>
public sealed class GrpcTestServer : IAsyncDisposable
{
    private readonly WebApplication _app;

    private GrpcTestServer(WebApplication app, LogOfTest log)
    {
        _app = app;
        Log = log;
        string address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        Address = new Uri(address);
    }

    public Uri Address { get; }

    public LogOfTest Log { get; }

    public static Task<GrpcTestServer> StartAsync(UnaryRoutes routes, UnaryGrpcServerOptions? options = null) =>
        StartAsync(app => app.UseUnaryGrpc(routes, options));

    /// <summary>A server of any making: for peers that do not speak gRPC, or speak it wrongly.</summary>
    public static async Task<GrpcTestServer> StartAsync(
        Action<IApplicationBuilder> configure, Action<KestrelServerOptions>? listen = null)
    {
        var log = new LogOfTest();
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders().SetMinimumLevel(LogLevel.Information).AddProvider(log);
        builder.WebHost.ConfigureKestrel(listen ?? (kestrel => kestrel.ListenUnaryGrpc(IPAddress.Loopback, 0)));
        // Handlers that a failed test left waiting must not hold the run up.
        builder.Services.Configure<Microsoft.Extensions.Hosting.HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(1));
        WebApplication app = builder.Build();
        configure(app);
        await app.StartAsync();
        return new GrpcTestServer(app, log);
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();
}

/// <summary>A port that refuses connections, and that nobody else gets: bound, but not listening.</summary>
public sealed class UnusedPort : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    public UnusedPort()
    {
        _socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        Address = new Uri($"http://127.0.0.1:{((IPEndPoint)_socket.LocalEndPoint!).Port}");
    }

    public Uri Address { get; }

    public void Dispose() => _socket.Dispose();
}

/// <summary>What the server logged, warnings and worse.</summary>
public sealed class LogOfTest : ILoggerProvider, ILogger
{
    private readonly System.Collections.Concurrent.ConcurrentQueue<string> _lines = new();

    public IReadOnlyCollection<string> Lines => _lines;

    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (IsEnabled(logLevel))
        {
            _lines.Enqueue($"{logLevel} {formatter(state, exception)} {exception?.Message}");
        }
    }

    public void Dispose()
    {
    }
}
