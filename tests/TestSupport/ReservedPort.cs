using System.Net;
using System.Net.Sockets;

namespace FuncScaler.Tests;

/// <summary>
/// A port of this machine that refuses connections until a server is told to listen on it. The port is bound without listening: the system
/// gives it to nobody who asks for any port, and lets whoever asks for this one have it, as often as the test likes.
/// </summary>
public sealed class ReservedPort : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    public ReservedPort()
    {
        _socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        Number = ((IPEndPoint)_socket.LocalEndPoint!).Port;
    }

    public int Number { get; }

    public Uri Address => new($"http://127.0.0.1:{Number}");

    public void Dispose() => _socket.Dispose();
}
