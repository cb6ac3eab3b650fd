using FuncScaler.FunctionsHost.Protocol;
using Grpc.Core;
using RpcException = Grpc.Core.RpcException;

namespace FuncScaler.FunctionsHost.Workers;

/// <summary>Where workers report: the first message names one, and the stream is its own from then on.</summary>
internal sealed class FunctionRpcService(WorkerPool pool) : FunctionRpc.FunctionRpcBase
{
    public override async Task EventStream(
        IAsyncStreamReader<StreamingMessage> requestStream, IServerStreamWriter<StreamingMessage> responseStream, ServerCallContext context)
    {
        if (!await requestStream.MoveNext(context.CancellationToken)
            || requestStream.Current.StartStream?.WorkerId is not { } id
            || pool.Find(id) is not { } worker)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, "A worker that this host has not started."));
        }

        await worker.TalkAsync(requestStream, responseStream, context.CancellationToken);
    }
}
