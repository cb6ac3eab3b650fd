using FuncScaler.Contract.Scheduling;
using FuncScaler.Nodes;
using FuncScaler.SlotBackends.Nodes;
using Grpc.Core;
using Microsoft.AspNetCore.Http;

namespace FuncScaler.Runtime.Service;

/// <summary>The Scheduler service of the 2020 contest on an <see cref="IScaler"/> whose instances are containers on nodes.</summary>
[BindServiceMethod(typeof(CheckedMessages), nameof(CheckedMessages.BindScheduler))]
public sealed class NodeSchedulerService : Scheduler.SchedulerBase
{
    private readonly IScaler _scaler;
    private readonly SharedNodePrice? _price;
    private readonly MemorySharing? _sharing;
    private readonly HeldContainers _held;
    private readonly Lock _gate = new();

    /// <param name="scaler">What gives instances out; its addresses are those of <see cref="NodeBackend.InitAsync"/>.</param>
    /// <param name="limits">The scaler's limits: how long a request may hold a container before it is taken to be lost.</param>
    /// <param name="time">The scaler's clock.</param>
    /// <param name="price">Learns from what comes in; null where waiting has a fixed price.</param>
    /// <param name="sharing">How many requests share a container, which follows from what they are seen to use; null for one at a time.</param>
    public NodeSchedulerService(IScaler scaler, SlotPoolOptions limits, TimeProvider time, SharedNodePrice? price = null, MemorySharing? sharing = null)
    {
        ArgumentNullException.ThrowIfNull(limits);
        ArgumentNullException.ThrowIfNull(time);
        (_scaler, _price, _sharing) = (scaler, price, sharing);
        _held = new HeldContainers(limits.AssignmentLimitUs, time);
    }

    /// <summary>Requests whose container is remembered.</summary>
    internal int Held => _held.Count;

    public override async Task<AcquireContainerReply> AcquireContainer(AcquireContainerRequest request, ServerCallContext context)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(context);
        var http = context.GetHttpContext();
        CallerScope.Check(http, KeyOf(request));
        var reply = await AcquireAsync(request, ScalerService.TimeRemaining(context), context.CancellationToken).ConfigureAwait(false);
        TakeBackIfUndelivered(http, request);
        return reply;
    }

    public override Task<ReturnContainerReply> ReturnContainer(ReturnContainerRequest request, ServerCallContext context) =>
        Task.FromResult(Return(request, CallerScope.Of(context.GetHttpContext())));

    /// <summary>Gives a request a container.</summary>
    /// <param name="request">The contract's request.</param>
    /// <param name="timeout">How long the caller is ready to wait; null when it did not say.</param>
    /// <param name="cancellationToken">The caller has gone away.</param>
    /// <exception cref="RpcException">No container, and why.</exception>
    internal async Task<AcquireContainerReply> AcquireAsync(AcquireContainerRequest request, TimeSpan? timeout, CancellationToken cancellationToken)
    {
        ScalerService.CheckName("request_id", request.RequestId, "give each request an id of its own");
        ScalerService.CheckName("function_name", request.FunctionName, "it names the function");
        ScalerService.CheckText("account_id", request.AccountId);
        var function = FunctionOf(request);
        _price?.Arrived(function);
        if (_sharing is not null)
        {
            lock (_gate)
            {
                function = _sharing.Of(function);
            }
        }

        var id = new RequestId(request.RequestId);
        var assigned = await _scaler.GrantAsync(function, id, timeout, "container", cancellationToken).ConfigureAwait(false);
        if (assigned.Address is not { Segments: [_, var node, var container] } address)
        {
            _scaler.Abandon(function.Key, id);
            throw new RpcException(new Status(StatusCode.Internal, "the backend's instances have no node: serve with nodes"));
        }

        var containerId = Uri.UnescapeDataString(container);
        _held.Add(request.RequestId, containerId, function, assigned.Instance);
        return new AcquireContainerReply
        {
            NodeId = Uri.UnescapeDataString(node.TrimEnd('/')),
            NodeAddress = address.Host,
            NodeServicePort = address.Port,
            ContainerId = containerId,
        };
    }

    /// <inheritdoc cref="Granting.TakeBackIfUndelivered"/>
    internal void TakeBackIfUndelivered(HttpContext http, AcquireContainerRequest request) =>
        _scaler.TakeBackIfUndelivered(http, new MetaKey(KeyOf(request)), new RequestId(request.RequestId));

    /// <summary>Takes a container back.</summary>
    /// <param name="request">The contract's request.</param>
    /// <param name="scope">Whose functions the caller may use; null for all.</param>
    /// <exception cref="RpcException">The request does not hold it.</exception>
    internal ReturnContainerReply Return(ReturnContainerRequest request, CallerScope? scope = null)
    {
        ArgumentNullException.ThrowIfNull(request);
        ScalerService.CheckName("request_id", request.RequestId, "send the id that AcquireContainer was called with");
        if (!_held.TryTake(request.RequestId, request.ContainerId, scope, out var function, out var instance))
        {
            throw NotHeld(request);
        }

        // What failed may have taken its container along: nothing tells the two apart.
        var failed = request.ErrorCode.Length > 0;
        var durationUs = Math.Max(0, request.DurationInNanos / 1000);
        var outcome = _scaler.Release(function, new RequestId(request.RequestId), instance, new ReleaseResult(durationUs, failed));
        if (outcome is not (ReleaseOutcome.Released or ReleaseOutcome.Forwarded))
        {
            // Taken back, or taken to be lost, since.
            throw NotHeld(request);
        }

        _price?.Executed(function, durationUs);
        if (_sharing is not null)
        {
            lock (_gate)
            {
                _sharing.Executed(function, durationUs, (int)Math.Clamp(request.MaxMemoryUsageInBytes >> 20, 0, int.MaxValue), failed);
            }
        }

        return new ReturnContainerReply();
    }

    private static RpcException NotHeld(ReturnContainerRequest request) => new(new Status(
        StatusCode.NotFound,
        $"request {request.RequestId} holds no such container: never given, returned before, or taken back since; nothing was changed"));

    private static string KeyOf(AcquireContainerRequest request) =>
        request.AccountId.Length > 0 ? $"{request.AccountId}/{request.FunctionName}" : request.FunctionName;

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
        return new FunctionMeta(new MetaKey(KeyOf(request)), config.Handler, (int)timeoutSeconds, (int)memoryMb);
    }
}
