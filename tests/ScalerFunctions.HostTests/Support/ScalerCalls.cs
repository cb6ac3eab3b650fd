using FuncScaler.Contract;
using Google.Protobuf;
using Grpc.Core;

namespace FuncScaler.Tests;

/// <summary>The contract's two calls, over whichever transport a channel has.</summary>
internal sealed class ScalerCalls(CallInvoker calls, string? key = null)
{
    private static readonly Method<AssignRequest, AssignReply> AssignMethod = Method("Assign", AssignRequest.Parser, AssignReply.Parser);

    private static readonly Method<IdleRequest, IdleReply> IdleMethod = Method("Idle", IdleRequest.Parser, IdleReply.Parser);

    public async Task<AssignReply> AssignAsync(string request, string function) => await calls.AsyncUnaryCall(AssignMethod, null, Options, new AssignRequest
    {
        RequestId = request,
        Timestamp = 1,
        MetaData = new Meta { Key = function, Runtime = "go", TimeoutInSecs = 10, MemoryInMb = 128 },
    });

    public async Task<IdleReply> IdleAsync(Assignment assignment) => await calls.AsyncUnaryCall(
        IdleMethod, null, Options, new IdleRequest { Assigment = assignment, Result = new Result { StatusCode = 200, DurationInMs = 1 } });

    private CallOptions Options => new(key is null ? [] : new Metadata { { "x-functions-key", key } }, DateTime.UtcNow.AddMinutes(1));

    private static Method<TRequest, TReply> Method<TRequest, TReply>(string name, MessageParser<TRequest> requests, MessageParser<TReply> replies)
        where TRequest : class, IMessage<TRequest>
        where TReply : class, IMessage<TReply> => new(
            MethodType.Unary,
            "serverless.simulator.Scaler",
            name,
            Marshallers.Create(m => m.ToByteArray(), requests.ParseFrom),
            Marshallers.Create(m => m.ToByteArray(), replies.ParseFrom));
}
