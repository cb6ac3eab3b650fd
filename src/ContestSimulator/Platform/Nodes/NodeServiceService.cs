using System.Globalization;
using FuncScaler.Contract.Containers;
using Grpc.Core;

namespace FuncScaler.ContestSimulator.Platform.Nodes;

/// <summary>The contest's NodeService of all nodes on a <see cref="LiveNodeWorld"/>: the port that a call comes in at says which node it is for.</summary>
internal sealed class NodeServiceService(LiveNodeWorld world) : NodeService.NodeServiceBase
{
    public override async Task<CreateContainerReply> CreateContainer(CreateContainerRequest request, ServerCallContext context)
    {
        var memoryMb = (request.FunctionMeta?.MemoryInBytes ?? 0) >> 20;
        if (memoryMb is < 1 or > int.MaxValue)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, "function_meta.memory_in_bytes must be 1 MB or more"));
        }

        return await world.CreateAsync(NodeOf(context), (int)memoryMb).ConfigureAwait(false) is { } container
            ? new CreateContainerReply { ContainerId = $"c-{container}" }
            : throw new RpcException(new Status(StatusCode.Unavailable, "the node was released"));
    }

    public override async Task<RemoveContainerReply> RemoveContainer(RemoveContainerRequest request, ServerCallContext context) =>
        await world.RemoveAsync(ContainerOf(request.ContainerId)).ConfigureAwait(false)
            ? new RemoveContainerReply()
            : throw new RpcException(new Status(StatusCode.NotFound, $"there is no container {request.ContainerId}"));

    public override async Task InvokeFunction(InvokeFunctionRequest request, IServerStreamWriter<InvokeFunctionReply> responseStream, ServerCallContext context)
    {
        if (NodeEvent.Decode(request.Event) is not { } work)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, "the event does not say what is to be done: write CPU seconds;sleep seconds;MB"));
        }

        var ended = await world.ExecuteAsync(ContainerOf(request.ContainerId), work).ConfigureAwait(false);
        await responseStream.WriteAsync(new InvokeFunctionReply
        {
            Header = new InvokeFunctionReply.Types.Header { MaxMemUsageInBytes = (long)ended.MemoryMb << 20, StatusCode = ended.Failed ? "500" : "200" },
            Footer = new InvokeFunctionReply.Types.Footer { DurationInNanos = ended.DurationUs * 1000, Error = ended.Failed ? "OutOfMemory" : "" },
        }).ConfigureAwait(false);
    }

    public override Task<GetStatsReply> GetStats(GetStatsRequest request, ServerCallContext context)
    {
        if (world.UseOf(NodeOf(context)) is not var (use, containers))
        {
            throw new RpcException(new Status(StatusCode.Unavailable, "the node was released"));
        }

        var totalMb = world.Options.NodeMemoryMb;
        var reply = new GetStatsReply
        {
            NodeStats = new NodeStats
            {
                TotalMemoryInBytes = (long)totalMb << 20,
                MemoryUsageInBytes = (long)use.UsedMb << 20,
                AvailableMemoryInBytes = (long)(totalMb - use.UsedMb) << 20,
                CpuUsagePct = 100 * use.CpuShare,
            },
        };
        reply.ContainerStatsList.AddRange(containers.Select(c => new ContainerStats
        {
            ContainerId = $"c-{c.Container}",
            TotalMemoryInBytes = (long)c.LimitMb << 20,
            MemoryUsageInBytes = (long)c.UsedMb << 20,
        }));
        return Task.FromResult(reply);
    }

    private static long ContainerOf(string id) =>
        id.StartsWith("c-", StringComparison.Ordinal) && long.TryParse(id.AsSpan(2), NumberStyles.None, CultureInfo.InvariantCulture, out var container) ? container : 0;

    private int NodeOf(ServerCallContext context) =>
        world.NodeAt(context.GetHttpContext().Connection.LocalPort) is { } node
            ? node
            : throw new RpcException(new Status(StatusCode.Unavailable, "no node is reserved at this port"));
}
