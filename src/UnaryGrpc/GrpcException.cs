namespace FuncScaler.UnaryGrpc;

/// <summary>A call that ended in a status other than OK: thrown by channels, and by handlers to answer with that status.</summary>
public sealed class GrpcException(GrpcStatus status, string detail, Exception? inner = null)
    : Exception($"{status}: {detail}", inner)
{
    public GrpcStatus Status { get; } = status;

    /// <summary>What travels as grpc-message. From a handler, it is shown to the caller.</summary>
    public string Detail { get; } = detail;
}
