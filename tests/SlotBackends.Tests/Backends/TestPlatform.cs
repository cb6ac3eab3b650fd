using System.Collections.Concurrent;
using FuncScaler.Contract;
using Grpc.Core;
using Status = FuncScaler.Contract.Status;

namespace FuncScaler.Tests.Backends;

/// <summary>What a scripted call of the <see cref="TestPlatform"/> does.</summary>
internal enum Fault
{
    None,

    /// <summary>Status Throttle in the reply.</summary>
    Throttle,

    /// <summary>The gRPC status RESOURCE_EXHAUSTED.</summary>
    Exhausted,

    /// <summary>Status InternalError in the reply.</summary>
    InternalError,

    /// <summary>Status InvalidArgument in the reply.</summary>
    Refused,

    /// <summary>Takes effect, and the answer is UNAVAILABLE, as from a proxy that lost its peer.</summary>
    AnswerLost,

    /// <summary>UNAVAILABLE, without effect.</summary>
    RequestLost,

    /// <summary>Ok, but without a slot.</summary>
    Empty,

    /// <summary>NOT_FOUND as a gRPC status.</summary>
    NotFoundStatus,

    /// <summary>Waits until the caller has gone away.</summary>
    Hang,
}

/// <summary>The contest's Platform service with scripted faults, on a free loopback port.</summary>
internal sealed class TestPlatform : Contract.Platform.PlatformBase, IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, string> _slots = new();
    private GrpcTestServer? _server;
    private int _lastSlot;

    public ConcurrentQueue<Fault> Creates { get; } = new();

    public ConcurrentQueue<Fault> Inits { get; } = new();

    public ConcurrentQueue<Fault> Destroys { get; } = new();

    /// <summary>Every call that arrived, in order.</summary>
    public ConcurrentQueue<object> Requests { get; } = new();

    /// <summary>The slots that exist, with the instance each was initialised as, or "".</summary>
    public IReadOnlyDictionary<string, string> Slots => _slots;

    public string RefusalReason { get; set; } = "refused";

    /// <summary>What every slot's id begins with.</summary>
    public string IdPrefix { get; set; } = "slot-";

    public Uri Address => _server!.Address;

    public static async Task<TestPlatform> StartAsync()
    {
        var platform = new TestPlatform();
        platform._server = await GrpcTestServer.StartAsync(platform);
        return platform;
    }

    public void Lose(string slot) => _slots.TryRemove(slot, out _);

    /// <summary>Ends at once, connections and all.</summary>
    public Task KillAsync() => _server!.KillAsync();

    public ValueTask DisposeAsync() => _server!.DisposeAsync();

    public override async Task<CreateSlotReply> CreateSlot(CreateSlotRequest request, ServerCallContext context)
    {
        var fault = await BeginAsync(request, Creates, context);
        var reply = new CreateSlotReply { Status = StatusOf(fault), ErrorMessage = fault == Fault.None ? "" : RefusalReason };
        if (fault is Fault.None or Fault.AnswerLost)
        {
            var id = $"{IdPrefix}{Interlocked.Increment(ref _lastSlot)}";
            _slots[id] = "";
            reply.Slot = new Slot { Id = id, ResourceConfig = request.ResourceConfig };
        }

        return End(fault, reply);
    }

    public override async Task<InitReply> Init(InitRequest request, ServerCallContext context)
    {
        var fault = await BeginAsync(request, Inits, context);
        var status = StatusOf(fault);
        if (fault is Fault.None or Fault.AnswerLost)
        {
            status = !_slots.ContainsKey(request.SlotId) ? Status.NotFound
                : _slots.TryUpdate(request.SlotId, request.InstanceId, "") ? Status.Ok
                : Status.InvalidArgument;
        }

        return End(fault, new InitReply { Status = status, ErrorMessage = status == Status.InvalidArgument ? "slot is already allocated" : "" });
    }

    public override async Task<DestroySlotReply> DestroySlot(DestroySlotRequest request, ServerCallContext context)
    {
        var fault = await BeginAsync(request, Destroys, context);
        var status = StatusOf(fault);
        if (fault is Fault.None or Fault.AnswerLost)
        {
            status = _slots.TryRemove(request.Id, out _) ? Status.Ok : Status.NotFound;
        }

        return End(fault, new DestroySlotReply { Status = status });
    }

    private async ValueTask<Fault> BeginAsync(object request, ConcurrentQueue<Fault> script, ServerCallContext context)
    {
        Requests.Enqueue(request);
        script.TryDequeue(out var fault);
        switch (fault)
        {
            case Fault.Exhausted:
                throw new RpcException(new Grpc.Core.Status(StatusCode.ResourceExhausted, "too many calls"));
            case Fault.RequestLost:
                throw new RpcException(new Grpc.Core.Status(StatusCode.Unavailable, "not now"));
            case Fault.NotFoundStatus:
                throw new RpcException(new Grpc.Core.Status(StatusCode.NotFound, "no such slot"));
            case Fault.Hang:
                await Task.Delay(Timeout.InfiniteTimeSpan, context.CancellationToken);
                break;
            default:
                break;
        }

        return fault;
    }

    private static TReply End<TReply>(Fault fault, TReply reply) =>
        fault == Fault.AnswerLost ? throw new RpcException(new Grpc.Core.Status(StatusCode.Unavailable, "the answer was lost")) : reply;

    private static Status StatusOf(Fault fault) => fault switch
    {
        Fault.Throttle => Status.Throttle,
        Fault.InternalError => Status.InternalError,
        Fault.Refused => Status.InvalidArgument,
        _ => Status.Ok,
    };
}
