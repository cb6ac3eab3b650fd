using System.Collections.Concurrent;
using System.Net.Sockets;
using FuncScaler.UnaryGrpc;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;

namespace FuncScaler.SlotBackends.Simulator;

/// <summary>A channel on Grpc.Net.Client. Compiled only where a feed carries that package.</summary>
public sealed class GrpcNetUnaryChannel : IUnaryChannel
{
    private readonly GrpcChannel _channel;
    private readonly CallInvoker _invoker;
    private readonly ConcurrentDictionary<object, object> _methods = new();

    /// <summary>A channel to "host:port", or to an http or https URI.</summary>
    /// <param name="address">The peer.</param>
    /// <param name="maxMessageBytes">The largest message accepted, bytes; null for the package's own limit of 4 MB.</param>
    /// <param name="multipleConnections">Open another connection when the peer allows no more streams on the ones there are.</param>
    public GrpcNetUnaryChannel(string address, int? maxMessageBytes = null, bool multipleConnections = true)
    {
        var uri = new Uri(address.Contains("://", StringComparison.Ordinal) ? address : "http://" + address);
        var options = new GrpcChannelOptions
        {
            HttpHandler = new SocketsHttpHandler
            {
                EnableMultipleHttp2Connections = multipleConnections,
                UseProxy = false,
                PooledConnectionIdleTimeout = TimeSpan.FromMinutes(15),
            },
            DisposeHttpClient = true,
        };
        if (maxMessageBytes is { } limit)
        {
            options.MaxReceiveMessageSize = limit;
        }

        _channel = GrpcChannel.ForAddress(uri, options);
        _invoker = _channel.CreateCallInvoker();
    }

    public async ValueTask<TReply> CallAsync<TRequest, TReply>(
        UnaryMethod<TRequest, TReply> method,
        TRequest request,
        TimeSpan? timeout,
        CancellationToken cancellationToken)
        where TRequest : class, IMessage<TRequest>, new()
        where TReply : class, IMessage<TReply>, new()
    {
        cancellationToken.ThrowIfCancellationRequested();
        var limited = timeout is { } limit && limit != Timeout.InfiniteTimeSpan;
        var options = new CallOptions(deadline: limited ? TimeProvider.System.GetUtcNow().UtcDateTime + timeout!.Value : null, cancellationToken: cancellationToken);
        try
        {
            using var call = _invoker.AsyncUnaryCall(MethodOf(method), host: null, options, request);
            return await call.ResponseAsync.ConfigureAwait(false);
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.Cancelled && cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException("The call was cancelled.", e, cancellationToken);
        }
        catch (RpcException e)
        {
            // The package connects by itself and reports what its socket said; callers tell by an HttpRequestException that nothing was sent.
            var cause = e.Status.DebugException is SocketException refused
                ? new HttpRequestException(HttpRequestError.ConnectionError, refused.Message, refused)
                : e.Status.DebugException;
            throw new GrpcException((GrpcStatus)(int)e.StatusCode, e.Status.Detail, cause ?? e);
        }
    }

    public ValueTask DisposeAsync()
    {
        _channel.Dispose();
        return ValueTask.CompletedTask;
    }

    private static Marshaller<T> MarshallerOf<T>(MessageParser<T> parser)
        where T : class, IMessage<T>, new() => Marshallers.Create(
            static (message, context) =>
            {
                context.SetPayloadLength(message.CalculateSize());
                message.WriteTo(context.GetBufferWriter());
                context.Complete();
            },
            context => parser.ParseFrom(context.PayloadAsReadOnlySequence()));

    private Method<TRequest, TReply> MethodOf<TRequest, TReply>(UnaryMethod<TRequest, TReply> method)
        where TRequest : class, IMessage<TRequest>, new()
        where TReply : class, IMessage<TReply>, new() => (Method<TRequest, TReply>)_methods.GetOrAdd(
            method,
            _ => new Method<TRequest, TReply>(
                MethodType.Unary, method.Service, method.Name, MarshallerOf(method.RequestParser), MarshallerOf(method.ReplyParser)));
}
