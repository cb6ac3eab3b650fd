using FuncScaler.ContestSimulator.Nodes;
using FuncScaler.Contract.Containers;
using FuncScaler.Contract.Scheduling;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using FunctionMeta = FuncScaler.Model.FunctionMeta;

namespace FuncScaler.ContestSimulator.Platform.Nodes;

/// <summary>Calls functions as the contest's APIServer does: a container from the scheduler, the execution on its node, the container's return.</summary>
internal sealed class NodeCaller(Scheduler.SchedulerClient scheduler, NodeWorldOptions world, TimeProvider time) : IDisposable
{
    private readonly Dictionary<string, GrpcChannel> _nodes = [];

    /// <summary>Calls a function. A failure is told in the outcome.</summary>
    /// <param name="function">The function.</param>
    /// <param name="requestId">The request's id.</param>
    /// <param name="work">The event: what is to be done.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    public async Task<NodeCall> CallAsync(FunctionMeta function, string requestId, ByteString work, CancellationToken cancellationToken)
    {
        var began = time.GetTimestamp();
        var (acquired, ended) = (0.0, (NodeCall?)null);
        try
        {
            var container = await scheduler.AcquireContainerAsync(
                new AcquireContainerRequest
                {
                    RequestId = requestId,
                    AccountId = "",
                    FunctionName = function.Key.Value,
                    FunctionConfig = new FunctionConfig
                    {
                        Handler = function.Runtime,
                        MemoryInBytes = (long)function.MemoryMb << 20,
                        TimeoutInMs = 1000L * function.TimeoutSeconds,
                    },
                },
                deadline: TimeProvider.System.GetUtcNow().UtcDateTime.AddSeconds(world.AcquireDeadlineSeconds),
                cancellationToken: cancellationToken).ConfigureAwait(false);
            acquired = time.GetElapsedTime(began).TotalSeconds;
            var executed = await InvokeAsync(container, requestId, work, cancellationToken).ConfigureAwait(false);
            var error = executed.Footer?.Error ?? "NoReply";
            ended = new NodeCall(time.GetElapsedTime(began).TotalSeconds, acquired, error, executed.Body);
            await scheduler.ReturnContainerAsync(
                new ReturnContainerRequest
                {
                    RequestId = requestId,
                    ContainerId = container.ContainerId,
                    DurationInNanos = executed.Footer?.DurationInNanos ?? 0,
                    MaxMemoryUsageInBytes = executed.Header?.MaxMemUsageInBytes ?? 0,
                    ErrorCode = error,
                },
                cancellationToken: cancellationToken).ConfigureAwait(false);
            return ended;
        }
        catch (RpcException e)
        {
            // What was executed counts, whatever became of the return.
            var seconds = time.GetElapsedTime(began).TotalSeconds;
            return (ended ?? new NodeCall(0, 0, e.Status.Detail.Length > 0 ? e.Status.Detail : e.StatusCode.ToString(), ByteString.Empty)) with
            {
                Seconds = seconds,
                AcquireSeconds = acquired > 0 ? acquired : seconds,
            };
        }
    }

    public void Dispose()
    {
        lock (_nodes)
        {
            foreach (var opened in _nodes.Values)
            {
                opened.Dispose();
            }

            _nodes.Clear();
        }
    }

    private async Task<InvokeFunctionReply> InvokeAsync(AcquireContainerReply where, string requestId, ByteString work, CancellationToken cancellationToken)
    {
        GrpcChannel node;
        lock (_nodes)
        {
            var address = new UriBuilder(Uri.UriSchemeHttp, where.NodeAddress, (int)where.NodeServicePort).Uri;
            if (!_nodes.TryGetValue(address.Authority, out node!))
            {
                _nodes.Add(address.Authority, node = GrpcChannel.ForAddress(address));
            }
        }

        using var call = new NodeService.NodeServiceClient(node).InvokeFunction(
            new InvokeFunctionRequest { RequestId = requestId, ContainerId = where.ContainerId, Event = work }, cancellationToken: cancellationToken);
        var last = new InvokeFunctionReply();
        await foreach (var reply in call.ResponseStream.ReadAllAsync(cancellationToken).ConfigureAwait(false))
        {
            last = reply;
        }

        return last;
    }
}

/// <summary>What became of a call.</summary>
/// <param name="Seconds">From the call to the end of the execution, s.</param>
/// <param name="AcquireSeconds">The part of it until there was a container, s.</param>
/// <param name="Error">Why it failed; empty where it did not.</param>
/// <param name="Body">What the function has answered.</param>
internal sealed record NodeCall(double Seconds, double AcquireSeconds, string Error, ByteString Body);
