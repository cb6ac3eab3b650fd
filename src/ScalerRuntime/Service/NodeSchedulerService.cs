using System.Collections.Concurrent;
using FuncScaler.Contract.Scheduling;
using FuncScaler.Nodes;
using FuncScaler.SlotBackends.Nodes;
using Grpc.Core;

namespace FuncScaler.Runtime.Service;

/// <summary>The Scheduler service of the 2020 contest on an <see cref="IScaler"/> whose instances are containers on nodes.</summary>
/// <param name="scaler">What gives instances out; its addresses are those of <see cref="NodeBackend.InitAsync"/>.</param>
/// <param name="price">Learns from what comes in; null where waiting has a fixed price.</param>
/// <param name="sharing">How many requests share a container, which follows from what they are seen to use; null for one at a time.</param>
public sealed class NodeSchedulerService(IScaler scaler, SharedNodePrice? price = null, MemorySharing? sharing = null) : Scheduler.SchedulerBase
{
    private readonly Lock _gate = new();
    private readonly ConcurrentDictionary<string, Held> _held = new();

    public override async Task<AcquireContainerReply> AcquireContainer(AcquireContainerRequest request, ServerCallContext context)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(context);
        CheckName("request_id", request.RequestId);
        CheckName("function_name", request.FunctionName);
        var function = FunctionOf(request);
        price?.Arrived(function);
        if (sharing is not null)
        {
            lock (_gate)
            {
                function = sharing.Of(function);
            }
        }

        try
        {
            var id = new RequestId(request.RequestId);
            var assigned = await scaler.AssignAsync(function, id, ScalerService.TimeRemaining(context), context.CancellationToken).ConfigureAwait(false);
            if (assigned.Address is not { Segments: [_, var node, var container] } address)
            {
                throw new RpcException(new Status(StatusCode.Internal, "the backend's instances have no node: serve with nodes"));
            }

            var containerId = Uri.UnescapeDataString(container);
            _held[request.RequestId] = new Held(function.Key, assigned.Instance, containerId);
            return new AcquireContainerReply
            {
                NodeId = Uri.UnescapeDataString(node.TrimEnd('/')),
                NodeAddress = address.Host,
                NodeServicePort = address.Port,
                ContainerId = containerId,
            };
        }
        catch (AssignRejectedException e)
        {
            throw new RpcException(new Status(
                ScalerRefusal.StatusOf(e.Reason),
                $"no container of function {function.Key} for request {request.RequestId}: {e.Message}"));
        }
    }

    public override Task<ReturnContainerReply> ReturnContainer(ReturnContainerRequest request, ServerCallContext context)
    {
        ArgumentNullException.ThrowIfNull(request);
        CheckName("request_id", request.RequestId);
        if (!_held.TryGetValue(request.RequestId, out var held) || held.Container != request.ContainerId)
        {
            throw new RpcException(new Status(StatusCode.NotFound, $"request {request.RequestId} holds no container {request.ContainerId}"));
        }

        _held.TryRemove(request.RequestId, out _);
        var durationUs = Math.Max(0, request.DurationInNanos / 1000);
        price?.Executed(held.Function, durationUs);

        if (sharing is not null)
        {
            lock (_gate)
            {
                sharing.Executed(held.Function, durationUs, (int)Math.Clamp(request.MaxMemoryUsageInBytes >> 20, 0, int.MaxValue), request.ErrorCode.Length > 0);
            }
        }

        // What failed may have taken its container along: nothing tells the two apart.
        var broken = request.ErrorCode.Length > 0;
        scaler.Release(held.Function, new RequestId(request.RequestId), held.Instance, new ReleaseResult(durationUs, broken));
        return Task.FromResult(new ReturnContainerReply());
    }

    private static FunctionMeta FunctionOf(AcquireContainerRequest request)
    {
        var config = request.FunctionConfig ?? new FunctionConfig();
        var memoryMb = (config.MemoryInBytes + (1 << 20) - 1) >> 20;
        if (memoryMb is < 1 or > (long)ScalerService.LargestMemoryMb)
        {
            throw new RpcException(new Status(
                StatusCode.InvalidArgument, $"function_config.memory_in_bytes is {config.MemoryInBytes}: give 1 to {ScalerService.LargestMemoryMb << 20}"));
        }

        var timeoutSeconds = Math.Clamp((config.TimeoutInMs + 999) / 1000, 0, 1_000_000);
        var key = request.AccountId.Length > 0 ? $"{request.AccountId}/{request.FunctionName}" : request.FunctionName;
        return new FunctionMeta(new MetaKey(key), config.Handler, (int)timeoutSeconds, (int)memoryMb);
    }

    private static void CheckName(string field, string value)
    {
        if (value.Length is 0 or > ScalerService.LongestName)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, $"{field} has {value.Length} characters: give 1 to {ScalerService.LongestName}"));
        }
    }

    private readonly record struct Held(MetaKey Function, InstanceId Instance, string Container);
}
