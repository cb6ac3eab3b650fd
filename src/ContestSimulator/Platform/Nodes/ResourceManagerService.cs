using System.Globalization;
using FuncScaler.Contract.Resources;
using Grpc.Core;

namespace FuncScaler.ContestSimulator.Platform.Nodes;

/// <summary>The contest's ResourceManager on a <see cref="LiveNodeWorld"/>.</summary>
internal sealed class ResourceManagerService(LiveNodeWorld world) : ResourceManager.ResourceManagerBase
{
    public override async Task<ReserveNodeReply> ReserveNode(ReserveNodeRequest request, ServerCallContext context) =>
        await world.ReserveAsync().ConfigureAwait(false) is { } node
            ? new ReserveNodeReply { Node = Describe(node) }
            : throw new RpcException(new Status(StatusCode.ResourceExhausted, $"{world.Options.MostNodes} nodes are reserved, and there are no more"));

    public override Task<ReleaseNodeReply> ReleaseNode(ReleaseNodeRequest request, ServerCallContext context) =>
        int.TryParse(request.Id.AsSpan(request.Id.IndexOf('-', StringComparison.Ordinal) + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var node) && world.Release(node)
            ? Task.FromResult(new ReleaseNodeReply())
            : throw new RpcException(new Status(StatusCode.NotFound, $"no node {request.Id} is reserved"));

    public override Task<GetNodesUsageReply> GetNodesUsage(GetNodesUsageRequest request, ServerCallContext context)
    {
        var reply = new GetNodesUsageReply();
        reply.Nodes.AddRange(world.Nodes.Select(Describe));
        return Task.FromResult(reply);
    }

    private NodeDesc Describe((int Node, int Port, long ReservedMs) node) => new()
    {
        Id = $"node-{node.Node}",
        Address = world.Address,
        NodeServicePort = node.Port,
        MemoryInBytes = (long)world.Options.NodeMemoryMb << 20,
        ReservedTimeTimestampMs = node.ReservedMs,
    };
}
