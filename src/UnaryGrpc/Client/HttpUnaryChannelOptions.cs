using System.Net.Security;

namespace FuncScaler.UnaryGrpc;

public sealed record HttpUnaryChannelOptions
{
    /// <summary>The largest reply, before and after decompression. The default is every gRPC implementation's.</summary>
    public int MaxMessageBytes { get; init; } = 4 << 20;

    /// <summary>The clock of the calls' timeouts.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>How long setting up a connection may take before the calls that wait for it fail as unavailable.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Whether to open further connections once the peer's limit of streams is reached, or to wait for a free one.</summary>
    public bool MultipleConnections { get; init; } = true;

    /// <summary>
    /// How long a connection is quiet, with calls waiting on it, before the peer is asked for a sign of life. Off by default:
    /// many gRPC servers take such pings, more often than every five minutes, for abuse.
    /// </summary>
    public TimeSpan KeepAlivePingDelay { get; init; } = Timeout.InfiniteTimeSpan;

    /// <summary>TLS settings for https addresses; null for the system's.</summary>
    public SslClientAuthenticationOptions? Tls { get; init; }
}
