using FuncScaler.ContestSimulator.Nodes;
using FuncScaler.Contract.Calls;
using Grpc.Core;

namespace FuncScaler.ContestSimulator.Platform.Nodes;

/// <summary>
/// The contest's APIServer: while a load is replayed, anybody may call its functions besides, through the same scheduler. Such calls are not among those
/// that are scored; they use the same containers and nodes.
/// </summary>
internal sealed class ApiServerService : APIServer.APIServerBase
{
    private (NodeTrace Trace, NodeCaller Caller)? _run;
    private long _calls;

    /// <summary>From now on functions of this load can be called.</summary>
    public void Open(NodeTrace trace, NodeCaller caller) => _run = (trace, caller);

    /// <summary>From now on none can be called.</summary>
    public void Close() => _run = null;

    public override Task<ListFunctionsReply> ListFunctions(ListFunctionsRequest request, ServerCallContext context)
    {
        var reply = new ListFunctionsReply();
        reply.Functions.AddRange(Run.Trace.Functions.Select(f => new FunctionConfig
        {
            FunctionName = f.Meta.Key.Value,
            TimeoutInSecs = f.Meta.TimeoutSeconds,

            // The contract's field is too small for 2 GB and more.
            MemoryInBytes = (int)Math.Min(int.MaxValue, (long)f.Meta.MemoryMb << 20),
            Handler = f.Meta.Runtime,
        }));
        return Task.FromResult(reply);
    }

    public override async Task<InvokeFunctionReply> InvokeFunction(InvokeFunctionRequest request, ServerCallContext context)
    {
        var (trace, caller) = Run;
        if (trace.Functions.FirstOrDefault(f => f.Meta.Key.Value == request.FunctionName) is not { } function)
        {
            throw new RpcException(new Status(StatusCode.NotFound, $"there is no function {request.FunctionName}: ListFunctions has their names"));
        }

        if (NodeEvent.Decode(request.Event) is null)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, "the event does not say what is to be done: write CPU seconds;sleep seconds;MB, as 0.1;0;20"));
        }

        // Among the replay's requests there must be none of the same id.
        var requestId = $"a{Interlocked.Increment(ref _calls)}-{request.RequestId}";
        var call = await caller.CallAsync(function.Meta, requestId, request.Event, context.CancellationToken).ConfigureAwait(false);
        return call.Error.Length == 0
            ? new InvokeFunctionReply { RequestId = request.RequestId, Body = call.Body, ServerSideLatencyInMs = (long)Math.Round(1000 * call.Seconds) }
            : throw new RpcException(new Status(StatusCode.Internal, $"the call failed: {call.Error}"));
    }

    private (NodeTrace Trace, NodeCaller Caller) Run => _run ?? throw new RpcException(new Status(StatusCode.Unavailable, "no load is played now"));
}
