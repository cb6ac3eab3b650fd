using System.Net.Sockets;
using Grpc.Net.Client;

namespace FuncScaler.SlotBackends.Simulator;

/// <summary>The channel to the platform.</summary>
public static class PlatformChannel
{
    /// <summary>How long setting up a connection may take, s.</summary>
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(5);

    /// <summary>Opens a channel to "host:port", or to an http or https address.</summary>
    public static GrpcChannel Open(string address) =>
        Open(new Uri(address.Contains("://", StringComparison.Ordinal) ? address : "http://" + address));

    /// <summary>Opens a channel to an http or https address; it connects at the first call, and again whenever a call needs it.</summary>
    public static GrpcChannel Open(Uri address) => GrpcChannel.ForAddress(address, new GrpcChannelOptions
    {
        HttpHandler = new SocketsHttpHandler
        {
            // Past the peer's limit of streams another connection is opened, instead of waiting.
            EnableMultipleHttp2Connections = true,
            UseProxy = false,

            // The default of a minute would make each call of a rarely called function a new connection.
            PooledConnectionIdleTimeout = TimeSpan.FromMinutes(15),

            // A callback of our own turns off the package's connection management. That would refuse calls for up to two minutes after a
            // connection failed; here the backend decides when to try again, and a platform that is back is used at once.
            ConnectCallback = ConnectAsync,
        },
        DisposeHttpClient = true,
    });

    private static async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(ConnectTimeout);
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(context.DnsEndPoint, limit.Token).ConfigureAwait(false);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch (Exception e)
        {
            socket.Dispose();
            if (e is OperationCanceledException && !cancellationToken.IsCancellationRequested)
            {
                // A connection that does not come is one that failed, for whoever asks whether anything was sent.
                throw new SocketException((int)SocketError.TimedOut);
            }

            throw;
        }
    }
}
