using FuncScaler.UnaryGrpc;
using Google.Protobuf;

namespace FuncScaler.Tests.Platform;

/// <summary>
/// A channel to handlers in the same process: no thread is changed and no time passes, so that a manual clock decides everything.
/// </summary>
internal sealed class InProcessChannel : IUnaryChannel
{
    private readonly Dictionary<string, Func<object, CancellationToken, Task<object>>> _handlers = new(StringComparer.Ordinal);

    public InProcessChannel Add<TRequest, TReply>(
        Google.Protobuf.Reflection.MethodDescriptor method, Func<TRequest, CancellationToken, Task<TReply>> handler)
        where TReply : class
    {
        _handlers[$"/{method.Service.FullName}/{method.Name}"] =
            async (request, cancellation) => await handler((TRequest)request, cancellation).ConfigureAwait(false);
        return this;
    }

    public async ValueTask<TReply> CallAsync<TRequest, TReply>(
        UnaryMethod<TRequest, TReply> method, TRequest request, TimeSpan? timeout, CancellationToken cancellationToken)
        where TRequest : class, IMessage<TRequest>, new()
        where TReply : class, IMessage<TReply>, new()
    {
        var reply = _handlers[method.Path](request, cancellationToken).WaitAsync(cancellationToken);
        return (TReply)await reply.ConfigureAwait(false);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
