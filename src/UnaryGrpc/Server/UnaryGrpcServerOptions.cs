namespace FuncScaler.UnaryGrpc;

public sealed record UnaryGrpcServerOptions
{
    /// <summary>The largest request, before and after decompression. The default is every gRPC implementation's.</summary>
    public int MaxMessageBytes { get; init; } = 4 << 20;

    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;
}
