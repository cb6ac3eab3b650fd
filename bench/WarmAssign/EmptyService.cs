using System.Net;
using FuncScaler.Contract;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Status = FuncScaler.Contract.Status;

namespace FuncScaler.Benchmarks;

/// <summary>The contract's service with nothing behind it, on the stack of the scaler: what a scaler that decides nothing would take.</summary>
internal sealed class EmptyService : Scaler.ScalerBase
{
    public static async Task ServeAsync(int port)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddGrpc();
        builder.Services.AddSingleton<EmptyService>();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port, listen => listen.Protocols = HttpProtocols.Http2));
        await using var app = builder.Build();
        app.MapGrpcService<EmptyService>();
        await app.RunAsync();
    }

    public override Task<AssignReply> Assign(AssignRequest request, ServerCallContext context) => Task.FromResult(new AssignReply
    {
        Status = Status.Ok,
        Assigment = new Assignment { RequestId = request.RequestId, MetaKey = request.MetaData.Key, InstanceId = "i" },
    });

    public override Task<IdleReply> Idle(IdleRequest request, ServerCallContext context) => Task.FromResult(new IdleReply { Status = Status.Ok });
}
