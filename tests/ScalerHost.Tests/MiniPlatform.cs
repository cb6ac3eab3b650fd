using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using FuncScaler.Contract;
using FuncScaler.UnaryGrpc;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;

namespace FuncScaler.Tests;

/// <summary>A contest platform whose server can be killed and brought back, with its slots or without.</summary>
internal sealed class MiniPlatform : IAsyncDisposable
{
    private readonly int _port = FreePort();
    private WebApplication? _server;
    private int _lastId;

    /// <summary>The slots that exist, with their instance ids; null for a slot that is not initialised.</summary>
    public ConcurrentDictionary<string, string?> Slots { get; } = new();

    /// <summary>Completes when CreateSlot may answer.</summary>
    public TaskCompletionSource CreateGate { get; set; } = Open();

    public string Address => $"127.0.0.1:{_port}";

    public static TaskCompletionSource Open()
    {
        var gate = new TaskCompletionSource();
        gate.SetResult();
        return gate;
    }

    public async Task StartAsync()
    {
        var routes = new UnaryRoutes()
            .Add(new UnaryMethod<CreateSlotRequest, CreateSlotReply>(ScalerContract.CreateSlot), async (request, call) =>
            {
                await CreateGate.Task.WaitAsync(call.Cancellation);
                var id = $"slot-{Interlocked.Increment(ref _lastId)}";
                Slots[id] = null;
                return new CreateSlotReply { Slot = new Slot { Id = id, ResourceConfig = request.ResourceConfig } };
            })
            .Add(new UnaryMethod<InitRequest, InitReply>(ScalerContract.Init), (request, _) => ValueTask.FromResult(Init(request)))
            .Add(new UnaryMethod<DestroySlotRequest, DestroySlotReply>(ScalerContract.DestroySlot), (request, _) => ValueTask.FromResult(
                new DestroySlotReply { Status = Slots.TryRemove(request.Id, out var _) ? Status.Ok : Status.NotFound }));
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenUnaryGrpc(IPAddress.Loopback, _port));
        _server = builder.Build();
        _server.UseUnaryGrpc(routes);
        await _server.StartAsync();
    }

    /// <summary>Ends the server at once, connections and all.</summary>
    public async Task KillAsync()
    {
        using var now = new CancellationTokenSource();
        await now.CancelAsync();
        await _server!.StopAsync(now.Token);
        await _server.DisposeAsync();
        _server = null;
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            await KillAsync();
        }
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private InitReply Init(InitRequest request)
    {
        if (!Slots.TryGetValue(request.SlotId, out var instance))
        {
            return new InitReply { Status = Status.NotFound, ErrorMessage = "no such slot" };
        }

        if (instance is not null)
        {
            return new InitReply { Status = Status.InvalidArgument, ErrorMessage = "already allocated" };
        }

        Slots[request.SlotId] = request.InstanceId;
        return new InitReply { Status = Status.Ok };
    }
}
