using Grpc.Core;

namespace FuncScaler.Tests.Platform;

/// <summary>
/// Calls handlers in the same process: no thread is changed and no time passes, so that a manual clock decides everything.
/// </summary>
internal sealed class InProcessInvoker : CallInvoker
{
    private readonly Dictionary<string, Func<object, CancellationToken, Task<object>>> _handlers = new(StringComparer.Ordinal);

    public InProcessInvoker Add<TRequest, TReply>(string method, Func<TRequest, CancellationToken, Task<TReply>> handler)
        where TReply : class
    {
        _handlers[method] = async (request, cancellation) => await handler((TRequest)request, cancellation).ConfigureAwait(false);
        return this;
    }

    public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request) => new(
            CallAsync<TResponse>(method.Name, request, options.CancellationToken),
            Task.FromResult(new Metadata()),
            () => Status.DefaultSuccess,
            () => [],
            () => { });

    public override TResponse BlockingUnaryCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request) => throw new NotSupportedException();

    public override AsyncServerStreamingCall<TResponse> AsyncServerStreamingCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request) => throw new NotSupportedException();

    public override AsyncClientStreamingCall<TRequest, TResponse> AsyncClientStreamingCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options) => throw new NotSupportedException();

    public override AsyncDuplexStreamingCall<TRequest, TResponse> AsyncDuplexStreamingCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options) => throw new NotSupportedException();

    private async Task<TResponse> CallAsync<TResponse>(string method, object request, CancellationToken cancellation)
    {
        try
        {
            return (TResponse)await _handlers[method](request, cancellation).WaitAsync(cancellation).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            // As a channel says it.
            throw new RpcException(Status.DefaultCancelled);
        }
    }
}
