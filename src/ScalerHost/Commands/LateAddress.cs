using FuncScaler.UnaryGrpc;
using Google.Protobuf;

namespace FuncScaler.ScalerHost.Commands;

/// <summary>A channel whose peer is known only after the server that uses it has started.</summary>
internal sealed class LateAddress : IUnaryChannel
{
    private readonly TaskCompletionSource<IUnaryChannel> _channel = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Set(IUnaryChannel channel) => _channel.SetResult(channel);

    public async ValueTask<TReply> CallAsync<TRequest, TReply>(
        UnaryMethod<TRequest, TReply> method,
        TRequest request,
        TimeSpan? timeout,
        CancellationToken cancellationToken)
        where TRequest : class, IMessage<TRequest>, new()
        where TReply : class, IMessage<TReply>, new()
    {
        var channel = await _channel.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        return await channel.CallAsync(method, request, timeout, cancellationToken).ConfigureAwait(false);
    }

    public ValueTask DisposeAsync() => _channel.Task.IsCompletedSuccessfully ? _channel.Task.Result.DisposeAsync() : ValueTask.CompletedTask;
}
