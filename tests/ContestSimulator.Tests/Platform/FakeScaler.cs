using System.Collections.Concurrent;
using FuncScaler.Contract;
using Grpc.Core;
using Status = FuncScaler.Contract.Status;

namespace FuncScaler.Tests.Platform;

/// <summary>What a <see cref="FakeScaler"/> does wrong.</summary>
public enum Fault
{
    None,
    AssignRpcError,
    AssignRefused,
    AnswersForAnotherRequest,
    NoAssignment,
    UnknownInstance,
    InstanceNotInitialised,
    InstanceDestroyed,
    InstanceOfOtherFunction,
    GrantsTwice,
    DestroysWhileRunning,
    IdleRpcError,
    IdleRefused,
    InitsTwice,
}

/// <summary>
/// The smallest scaler there can be: it takes a free instance of the function or makes one, keeps it for good, and gives it back when told
/// to; and misbehaves where a test wants it to.
/// </summary>
internal sealed class FakeScaler(TimeProvider time, Fault fault = Fault.None) : Scaler.ScalerBase
{
    private readonly Lock _gate = new();
    private readonly List<Instance> _instances = [];
    private long _next;

    /// <summary>Where slots come from; to be set before the first call.</summary>
    public Contract.Platform.PlatformClient Platform { get; set; } = new(new InProcessInvoker());

    /// <summary>What Assign waits for before anything else.</summary>
    public Func<AssignRequest, CancellationToken, Task> BeforeAssign { get; set; } = (_, _) => Task.CompletedTask;

    public ConcurrentQueue<AssignRequest> Assigns { get; } = new();

    public ConcurrentQueue<IdleRequest> Idles { get; } = new();

    public override Task<AssignReply> Assign(AssignRequest request, ServerCallContext context) => AssignAsync(request, context.CancellationToken);

    public override Task<IdleReply> Idle(IdleRequest request, ServerCallContext context) => IdleAsync(request);

    public async Task<AssignReply> AssignAsync(AssignRequest request, CancellationToken cancellation)
    {
        Assigns.Enqueue(request);
        await BeforeAssign(request, cancellation).ConfigureAwait(false);
        if (fault == Fault.AssignRpcError)
        {
            throw new RpcException(new Grpc.Core.Status(StatusCode.Internal, "out of order"));
        }

        var key = request.MetaData.Key;
        var instance = Take(key);
        if (instance is null)
        {
            instance = new Instance($"instance-{Interlocked.Increment(ref _next)}", key);
            await MakeAsync(instance, request.MetaData).ConfigureAwait(false);
            lock (_gate)
            {
                _instances.Add(instance);
            }
        }

        if (fault == Fault.InstanceDestroyed)
        {
            await DestroyAsync(instance).ConfigureAwait(false);
        }
        else if (fault == Fault.DestroysWhileRunning)
        {
            _ = DestroySoonAsync(instance);
        }

        return new AssignReply
        {
            Status = fault == Fault.AssignRefused ? Status.Throttle : Status.Ok,
            Assigment = fault == Fault.NoAssignment ? null : new Assignment
            {
                RequestId = fault == Fault.AnswersForAnotherRequest ? "another" : request.RequestId,
                MetaKey = key,
                InstanceId = fault == Fault.UnknownInstance ? "ghost" : instance.Id,
            },
        };
    }

    public async Task<IdleReply> IdleAsync(IdleRequest request)
    {
        Idles.Enqueue(request);
        if (fault == Fault.IdleRpcError)
        {
            throw new RpcException(new Grpc.Core.Status(StatusCode.Unavailable, "gone"));
        }

        if (fault == Fault.IdleRefused)
        {
            return new IdleReply { Status = Status.InvalidAssigment, ErrorMessage = "never heard of it" };
        }

        Instance instance;
        lock (_gate)
        {
            instance = _instances.Single(entry => entry.Id == request.Assigment.InstanceId);
            instance.IsBusy = false;
            if (request.Result.NeedDestroy)
            {
                _instances.Remove(instance);
            }
        }

        if (request.Result.NeedDestroy && fault != Fault.DestroysWhileRunning)
        {
            await DestroyAsync(instance).ConfigureAwait(false);
        }

        return new IdleReply { Status = Status.Ok };
    }

    private Instance? Take(string key)
    {
        lock (_gate)
        {
            var free = _instances.Find(entry =>
                (entry.Function == key || fault == Fault.InstanceOfOtherFunction) && (!entry.IsBusy || fault == Fault.GrantsTwice));
            if (free is not null)
            {
                free.IsBusy = true;
            }

            return free;
        }
    }

    private async Task MakeAsync(Instance instance, Meta meta)
    {
        var create = new CreateSlotRequest { ResourceConfig = new ResourceConfig { MemoryInMegabytes = meta.MemoryInMb } };
        var created = await Platform.CreateSlotAsync(create).ConfigureAwait(false);
        instance.SlotId = created.Slot.Id;
        var init = new InitRequest { SlotId = created.Slot.Id, InstanceId = instance.Id, MetaData = meta };
        var initialised = Platform.InitAsync(init).ResponseAsync;
        if (fault == Fault.InitsTwice)
        {
            var second = await Platform.InitAsync(init).ConfigureAwait(false);
            Assert.Equal(Status.InvalidArgument, second.Status);
        }

        if (fault != Fault.InstanceNotInitialised)
        {
            Assert.Equal(Status.Ok, (await initialised.ConfigureAwait(false)).Status);
        }
    }

    private async Task DestroySoonAsync(Instance instance)
    {
        await Task.Delay(TimeSpan.FromMilliseconds(5), time).ConfigureAwait(false);
        await DestroyAsync(instance).ConfigureAwait(false);
    }

    private async Task DestroyAsync(Instance instance)
    {
        var destroy = new DestroySlotRequest { Id = instance.SlotId };
        var reply = await Platform.DestroySlotAsync(destroy).ConfigureAwait(false);
        Assert.Equal(Status.Ok, reply.Status);
    }

    private sealed class Instance(string id, string function)
    {
        public string Id { get; } = id;

        public string Function { get; } = function;

        public string SlotId { get; set; } = string.Empty;

        public bool IsBusy { get; set; } = true;
    }
}
