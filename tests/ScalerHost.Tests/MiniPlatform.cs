using System.Collections.Concurrent;
using FuncScaler.Contract;
using Grpc.Core;
using Status = FuncScaler.Contract.Status;

namespace FuncScaler.Tests;

/// <summary>A contest platform whose server can be killed and brought back, with its slots or without.</summary>
internal sealed class MiniPlatform : Platform.PlatformBase, IAsyncDisposable
{
    private readonly ReservedPort _port = new();
    private GrpcTestServer? _server;
    private int _lastId;

    /// <summary>The slots that exist, with their instance ids; null for a slot that is not initialised.</summary>
    public ConcurrentDictionary<string, string?> Slots { get; } = new();

    /// <summary>Completes when CreateSlot may answer.</summary>
    public TaskCompletionSource CreateGate { get; set; } = Open();

    public Uri Address => _port.Address;

    public static TaskCompletionSource Open()
    {
        var gate = new TaskCompletionSource();
        gate.SetResult();
        return gate;
    }

    public async Task StartAsync() => _server = await GrpcTestServer.StartAsync(this, _port.Number);

    /// <summary>Ends the server at once, connections and all.</summary>
    public async Task KillAsync()
    {
        await _server!.KillAsync();
        _server = null;
    }

    public override async Task<CreateSlotReply> CreateSlot(CreateSlotRequest request, ServerCallContext context)
    {
        await CreateGate.Task.WaitAsync(context.CancellationToken);
        var id = $"slot-{Interlocked.Increment(ref _lastId)}";
        Slots[id] = null;
        return new CreateSlotReply { Slot = new Slot { Id = id, ResourceConfig = request.ResourceConfig } };
    }

    public override Task<InitReply> Init(InitRequest request, ServerCallContext context) => Task.FromResult(Init(request));

    public override Task<DestroySlotReply> DestroySlot(DestroySlotRequest request, ServerCallContext context) =>
        Task.FromResult(new DestroySlotReply { Status = Slots.TryRemove(request.Id, out _) ? Status.Ok : Status.NotFound });

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            await KillAsync();
        }

        _port.Dispose();
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
