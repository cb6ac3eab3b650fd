using System.Collections.Concurrent;
using FuncScaler.Contract;
using Grpc.Core;
using Status = FuncScaler.Contract.Status;

namespace FuncScaler.Tests.State;

/// <summary>A contest platform that goes on with what a caller has asked for who went away, and heeds the ids of CreateSlot requests.</summary>
internal sealed class IdempotentPlatform : Platform.PlatformBase
{
    private static readonly TimeSpan CreateTime = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan InitTime = TimeSpan.FromMilliseconds(20);

    private readonly ConcurrentDictionary<string, Lazy<Task<string>>> _creations = new();
    private int _lastId;

    /// <summary>The slots that exist, with their instance ids; empty for one that is not initialised.</summary>
    public ConcurrentDictionary<string, string> Slots { get; } = new();

    public int Created => _lastId;

    public override async Task<CreateSlotReply> CreateSlot(CreateSlotRequest request, ServerCallContext context)
    {
        var id = await _creations.GetOrAdd(request.RequestId, _ => new Lazy<Task<string>>(CreateAsync)).Value;
        return new CreateSlotReply { Slot = new Slot { Id = id, ResourceConfig = request.ResourceConfig } };
    }

    public override async Task<InitReply> Init(InitRequest request, ServerCallContext context)
    {
        if (!Slots.TryGetValue(request.SlotId, out var instance))
        {
            return new InitReply { Status = Status.NotFound, ErrorMessage = "no such slot" };
        }

        if (instance.Length > 0 || !Slots.TryUpdate(request.SlotId, request.InstanceId, ""))
        {
            return new InitReply { Status = Status.InvalidArgument, ErrorMessage = "already allocated" };
        }

        await Task.Delay(InitTime);
        return new InitReply { Status = Status.Ok };
    }

    public override Task<DestroySlotReply> DestroySlot(DestroySlotRequest request, ServerCallContext context) =>
        Task.FromResult(new DestroySlotReply { Status = Slots.TryRemove(request.Id, out _) ? Status.Ok : Status.NotFound });

    private async Task<string> CreateAsync()
    {
        await Task.Delay(CreateTime);
        var id = $"slot-{Interlocked.Increment(ref _lastId)}";
        Slots[id] = "";
        return id;
    }
}
