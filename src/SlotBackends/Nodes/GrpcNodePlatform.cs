using System.Collections.Concurrent;
using FuncScaler.Contract.Containers;
using FuncScaler.Contract.Resources;
using Grpc.Core;
using Grpc.Net.Client;

namespace FuncScaler.SlotBackends.Nodes;

/// <summary>The platform of the 2020 contest over gRPC: its ResourceManager, and the NodeService of each node.</summary>
/// <param name="resourceManager">Where the ResourceManager is reached, for example http://127.0.0.1:10400.</param>
/// <param name="account">The account that nodes are reserved for.</param>
public sealed class GrpcNodePlatform(Uri resourceManager, string account = "funcscaler") : INodePlatform
{
    /// <summary>Nodes take up to a minute to start.</summary>
    private static readonly TimeSpan ReserveTimeout = TimeSpan.FromMinutes(3);

    private static readonly TimeSpan CreateTimeout = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<Uri, GrpcChannel> _channels = new();

    public async Task<ReservedNode> ReserveAsync(CancellationToken cancellationToken)
    {
        var reply = await CallAsync(
            "ReserveNode",
            options => new ResourceManager.ResourceManagerClient(ChannelOf(resourceManager)).ReserveNodeAsync(
                new ReserveNodeRequest { RequestId = NewRequestId(), AccountId = account }, options),
            ReserveTimeout,
            cancellationToken).ConfigureAwait(false);
        return reply.Node is { Id.Length: > 0, Address.Length: > 0, NodeServicePort: > 0 and <= ushort.MaxValue } node
            ? new ReservedNode(node.Id, new UriBuilder(Uri.UriSchemeHttp, node.Address, (int)node.NodeServicePort).Uri, (int)(node.MemoryInBytes >> 20))
            : throw new SlotBackendException(new SlotFailure(FailureKind.Transient, "ReserveNode answered without a node that can be reached"));
    }

    public async Task ReleaseAsync(ReservedNode node, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(node);
        await CallAsync(
            "ReleaseNode",
            options => new ResourceManager.ResourceManagerClient(ChannelOf(resourceManager)).ReleaseNodeAsync(
                new ReleaseNodeRequest { RequestId = NewRequestId(), Id = node.Id }, options),
            CallTimeout,
            cancellationToken,
            gone: new ReleaseNodeReply()).ConfigureAwait(false);
        if (_channels.TryRemove(node.Service, out var channel))
        {
            channel.Dispose();
        }
    }

    public async Task<string> CreateContainerAsync(ReservedNode node, SlotTicket ticket, Model.FunctionMeta function, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(node);
        ArgumentNullException.ThrowIfNull(function);
        var reply = await CallAsync(
            "CreateContainer",
            options => ServiceOf(node).CreateContainerAsync(
                new CreateContainerRequest
                {
                    RequestId = NewRequestId(),
                    Name = $"{function.Key.Value}-{ticket}",
                    FunctionMeta = new Contract.Containers.FunctionMeta
                    {
                        FunctionName = function.Key.Value,
                        Handler = function.Runtime,
                        TimeoutInMs = 1000L * function.TimeoutSeconds,
                        MemoryInBytes = (long)function.MemoryMb << 20,
                    },
                },
                options),
            CreateTimeout,
            cancellationToken).ConfigureAwait(false);
        return reply.ContainerId.Length > 0
            ? reply.ContainerId
            : throw new SlotBackendException(new SlotFailure(FailureKind.Transient, "CreateContainer answered without a container's id"));
    }

    public async Task RemoveContainerAsync(ReservedNode node, string container, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(node);
        await CallAsync(
            "RemoveContainer",
            options => ServiceOf(node).RemoveContainerAsync(new RemoveContainerRequest { RequestId = NewRequestId(), ContainerId = container }, options),
            CallTimeout,
            cancellationToken,
            gone: new RemoveContainerReply()).ConfigureAwait(false);
    }

    public async Task<NodeLoad> GetLoadAsync(ReservedNode node, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(node);
        var reply = await CallAsync(
            "GetStats",
            options => ServiceOf(node).GetStatsAsync(new GetStatsRequest { RequestId = NewRequestId() }, options),
            CallTimeout,
            cancellationToken).ConfigureAwait(false);
        var stats = reply.NodeStats ?? new NodeStats();
        return new NodeLoad(stats.MemoryUsageInBytes / (double)(1 << 20), stats.CpuUsagePct / 100, [.. reply.ContainerStatsList.Select(c => c.ContainerId)]);
    }

    public ValueTask DisposeAsync()
    {
        foreach (var channel in _channels.Values)
        {
            channel.Dispose();
        }

        return ValueTask.CompletedTask;
    }

    private static string NewRequestId() => Guid.NewGuid().ToString("N");

    private static async Task<TReply> CallAsync<TReply>(
        string name, Func<CallOptions, AsyncUnaryCall<TReply>> call, TimeSpan timeout, CancellationToken cancellationToken, TReply? gone = null)
        where TReply : class
    {
        try
        {
            var options = new CallOptions(deadline: TimeProvider.System.GetUtcNow().UtcDateTime + timeout, cancellationToken: cancellationToken);
            return await call(options).ConfigureAwait(false);
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.Cancelled && cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException($"{name} was given up.", e, cancellationToken);
        }
        catch (RpcException e) when (gone is not null && e.StatusCode == StatusCode.NotFound)
        {
            return gone;
        }
        catch (RpcException e)
        {
            var text = $"{name} failed: {e.StatusCode}: {RemoteWords.Clean(e.Status.Detail)}";
            throw new SlotBackendException(
                e.StatusCode switch
                {
                    StatusCode.ResourceExhausted => new SlotFailure(FailureKind.Throttled, text),
                    StatusCode.InvalidArgument or StatusCode.Unimplemented or StatusCode.PermissionDenied or StatusCode.Unauthenticated
                        => new SlotFailure(FailureKind.Permanent, text),
                    StatusCode.NotFound => new SlotFailure(FailureKind.Transient, text),
                    _ => new SlotFailure(FailureKind.Transient, text, OutcomeUnknown: true),
                },
                e)
            {
                PlatformUnreachable = e.StatusCode == StatusCode.Unavailable,
            };
        }
    }

    private GrpcChannel ChannelOf(Uri address) => _channels.GetOrAdd(address, static a => GrpcChannel.ForAddress(a));

    private NodeService.NodeServiceClient ServiceOf(ReservedNode node) => new(ChannelOf(node.Service));
}
