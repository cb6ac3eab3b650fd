using System.Net;
using FuncScaler.Contract;
using FuncScaler.UnaryGrpc;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;

namespace FuncScaler.Tests.Platform;

/// <summary>A <see cref="FakeScaler"/> behind a real port.</summary>
internal sealed class FakeScalerHost : IAsyncDisposable
{
    private readonly WebApplication _server;

    private FakeScalerHost(FakeScaler scaler)
    {
        Scaler = scaler;
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.ListenUnaryGrpc(IPAddress.Loopback, 0));
        _server = builder.Build();
        _server.UseUnaryGrpc(new UnaryRoutes()
            .Add(
                new UnaryMethod<AssignRequest, AssignReply>(ScalerContract.Assign),
                (request, call) => new ValueTask<AssignReply>(scaler.AssignAsync(request, call.Cancellation)))
            .Add(
                new UnaryMethod<IdleRequest, IdleReply>(ScalerContract.Idle),
                (request, _) => new ValueTask<IdleReply>(scaler.IdleAsync(request))));
    }

    public FakeScaler Scaler { get; }

    public Uri Address { get; private set; } = new("http://127.0.0.1");

    public static async Task<FakeScalerHost> StartAsync(Fault fault = Fault.None)
    {
        var host = new FakeScalerHost(new FakeScaler(TimeProvider.System, fault));
        await host._server.StartAsync();
        var addresses = host._server.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses;
        host.Address = new Uri(addresses.Single());
        return host;
    }

    public async ValueTask DisposeAsync()
    {
        await Scaler.Platform.DisposeAsync();
        await _server.DisposeAsync();
    }
}
