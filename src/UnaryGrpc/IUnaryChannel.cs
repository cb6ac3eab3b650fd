using Google.Protobuf;

namespace FuncScaler.UnaryGrpc;

/// <summary>Calls unary methods of one peer. Safe for concurrent use.</summary>
public interface IUnaryChannel : IAsyncDisposable
{
    /// <summary>
    /// Sends the request and returns the reply. The timeout is sent to the peer and kept here too; null and infinite mean none.
    /// </summary>
    /// <exception cref="GrpcException">
    /// The peer answered with a status other than OK, the deadline passed (<see cref="GrpcStatus.DeadlineExceeded"/>), or no
    /// answer came (<see cref="GrpcStatus.Unavailable"/>, with the transport's exception inside).
    /// </exception>
    /// <exception cref="OperationCanceledException">The caller cancelled.</exception>
    ValueTask<TReply> CallAsync<TRequest, TReply>(
        UnaryMethod<TRequest, TReply> method,
        TRequest request,
        TimeSpan? timeout,
        CancellationToken cancellationToken)
        where TRequest : class, IMessage<TRequest>, new()
        where TReply : class, IMessage<TReply>, new();
}
