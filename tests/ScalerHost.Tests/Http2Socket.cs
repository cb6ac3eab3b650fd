using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using static FuncScaler.Tests.Http2Frames;

namespace FuncScaler.Tests;

/// <summary>HTTP/2 by hand, for what no client sends: frames of one's own over a socket.</summary>
internal sealed class Http2Socket : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly byte[] _headers;

    private Http2Socket(byte[] headers) => _headers = headers;

    /// <summary>Connects and sends the preface.</summary>
    /// <param name="port">The port on this machine.</param>
    /// <param name="path">What <see cref="Open"/> posts to.</param>
    public static async Task<Http2Socket> ConnectAsync(int port, string path)
    {
        // Literal fields, neither indexed nor by Huffman's code.
        var headers = new MemoryStream();
        foreach (var (name, value) in ((string, string)[])[(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "test"), ("content-type", "application/grpc"), ("te", "trailers")])
        {
            headers.WriteByte(0);
            foreach (var text in (string[])[name, value])
            {
                headers.WriteByte((byte)text.Length);
                headers.Write(Encoding.ASCII.GetBytes(text));
            }
        }

        var client = new Http2Socket(headers.ToArray());
        await client._socket.ConnectAsync(IPAddress.Loopback, port);
        await client._socket.SendAsync(Encoding.ASCII.GetBytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
        await client._socket.SendAsync(Settings());
        return client;
    }

    /// <summary>How many streams were reset by the server, so far.</summary>
    public int Refused { get; private set; }

    public static byte[] Settings() => Frame(4, 0, 0, []);

    public static byte[] Ping() => Frame(6, 0, 0, new byte[8]);

    public static byte[] Priority(int stream) => Frame(2, 0, stream, [0, 0, 0, 0, 16]);

    /// <summary>Begins a call and leaves it open.</summary>
    public byte[] Open(int stream) => Frame(1, 4, stream, _headers);

    public static byte[] Reset(int stream) => Frame(3, 0, stream, [0, 0, 0, 8]);

    /// <summary>Sends frames, and reads whatever is answered, until all are sent or the connection is cut.</summary>
    /// <returns>How many frames were sent before it was cut; null when it was not, also half a second later.</returns>
    public async Task<int?> FloodAsync(IEnumerable<byte[]> frames)
    {
        var cut = ReadToEndAsync();
        var sent = 0;
        foreach (var some in frames.Chunk(100))
        {
            try
            {
                await _socket.SendAsync(some.SelectMany(f => f).ToArray());
            }
            catch (SocketException)
            {
                break;
            }

            sent += some.Length;
            if (cut.IsCompleted)
            {
                break;
            }
        }

        return await Task.WhenAny(cut, Task.Delay(500)) == cut ? sent : null;
    }

    public void Dispose() => _socket.Dispose();

    private async Task ReadToEndAsync()
    {
        using var answers = new BufferedStream(new NetworkStream(_socket), 64 * 1024);
        var header = new byte[9];
        var payload = new byte[1 << 24];
        try
        {
            while (true)
            {
                await answers.ReadExactlyAsync(header);
                Refused += header[3] == 3 ? 1 : 0;
                await answers.ReadExactlyAsync(payload.AsMemory(0, BinaryPrimitives.ReadInt32BigEndian(header) >>> 8));
            }
        }
        catch (IOException)
        {
            // Cut.
        }
    }
}
