using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Google.Protobuf;

namespace FuncScaler.Benchmarks;

/// <summary>
/// One HTTP/2 connection with no more behind it than gRPC calls of one message need. A client library costs as much for a call as the server does, so
/// that it could not send many times what the server sustains.
/// </summary>
internal sealed class LoadConnection : IDisposable
{
    private const int MostUnsent = 8 << 20;
    private const byte EndStream = 1;
    private const byte EndHeaders = 4;

    private readonly Socket _socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly string _authority;
    private readonly Dictionary<string, byte[]> _blocks = [];
    private readonly Lock _gate = new();
    private readonly Dictionary<int, Call> _calls = [];
    private readonly Queue<(double UntilS, int Stream)> _deadlines = new();
    private MemoryStream _unsent = new();
    private MemoryStream _sent = new();
    private Task _sending = Task.CompletedTask;
    private long _window = 65_535;
    private int _nextStream = 1;
    private bool _isOver;

    public LoadConnection(IPEndPoint server)
    {
        _authority = server.ToString();
        _socket.Connect(server);

        // No table of header fields, so that answers can be read by their bytes, and as much as comes.
        _unsent.Write(Encoding.ASCII.GetBytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
        Append(4, 0, 0, [0, 1, 0, 0, 0, 0]);
        Append(8, 0, 0, [0x7F, 0xFE, 0, 0]);
        new Thread(Read) { IsBackground = true }.Start();
    }

    /// <summary>What becomes of a call: null when it was answered by nothing of use.</summary>
    /// <param name="ReplyBytes">The reply; null for an error.</param>
    /// <param name="Status">gRPC's number; 0 with a reply, 4 after the deadline, 14 where it could not be sent.</param>
    public readonly record struct Answer(byte[]? ReplyBytes, int Status);

    /// <summary>Puts a call in line; <see cref="Flush"/> sends it.</summary>
    public void Begin(string path, IMessage request, double nowS, double timeoutS, Action<Answer> answered)
    {
        var size = request.CalculateSize();
        var message = new byte[5 + size];
        BinaryPrimitives.WriteInt32BigEndian(message.AsSpan(1), size);
        request.WriteTo(message.AsSpan(5));
        lock (_gate)
        {
            if (!_isOver && _window >= message.Length && _unsent.Length < MostUnsent)
            {
                var stream = _nextStream;
                _nextStream += 2;
                _window -= message.Length;
                _calls.Add(stream, new Call(answered));
                _deadlines.Enqueue((nowS + timeoutS, stream));
                Append(1, EndHeaders, stream, BlockOf(path, timeoutS));
                Append(0, EndStream, stream, message);
                return;
            }
        }

        answered(new Answer(null, 14));
    }

    /// <summary>Gives up calls beyond their deadline, as clients do, and sends what is in line.</summary>
    public void Flush(double nowS)
    {
        List<Call>? late = null;
        lock (_gate)
        {
            while (_deadlines.TryPeek(out var first) && first.UntilS <= nowS)
            {
                _deadlines.Dequeue();
                if (_calls.Remove(first.Stream, out var call))
                {
                    Append(3, 0, first.Stream, [0, 0, 0, 8]);
                    (late ??= []).Add(call);
                }
            }

            // A server that reads slowly must not hold up what is due.
            if (_sending.IsCompleted && _unsent.Length > 0 && !_isOver)
            {
                (_unsent, _sent) = (_sent, _unsent);
                _unsent.SetLength(0);
                _sending = SendAsync(_sent.GetBuffer().AsMemory(0, (int)_sent.Length));
            }
        }

        late?.ForEach(call => call.Answered(new Answer(null, 4)));
    }

    public void Dispose() => _socket.Dispose();

    private async Task SendAsync(ReadOnlyMemory<byte> bytes)
    {
        try
        {
            while (bytes.Length > 0)
            {
                bytes = bytes[await _socket.SendAsync(bytes)..];
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            End();
        }
    }

    private byte[] BlockOf(string path, double timeoutS)
    {
        if (!_blocks.TryGetValue(path, out var block))
        {
            // POST and http of the static table, then literal fields; names by their place in that table where they have one.
            _blocks[path] = block =
            [
                0x83, 0x86, 0x04, .. Text(path), 0x01, .. Text(_authority), 0x0F, 0x10, .. Text("application/grpc"), 0x00, .. Text("te"), .. Text("trailers"),
                0x00, .. Text("grpc-timeout"), .. Text(FormattableString.Invariant($"{timeoutS * 1000:F0}m")),
            ];
        }

        return block;

        static byte[] Text(string value) => [(byte)value.Length, .. Encoding.ASCII.GetBytes(value)];
    }

    private void Append(byte type, byte flags, int stream, ReadOnlySpan<byte> payload)
    {
        Span<byte> header = stackalloc byte[9];
        BinaryPrimitives.WriteInt32BigEndian(header, payload.Length << 8);
        header[3] = type;
        header[4] = flags;
        BinaryPrimitives.WriteInt32BigEndian(header[5..], stream);
        _unsent.Write(header);
        _unsent.Write(payload);
    }

    private void Read()
    {
        using var answers = new BufferedStream(new NetworkStream(_socket), 1 << 16);
        var header = new byte[9];
        var payload = new byte[1 << 14];
        try
        {
            while (true)
            {
                answers.ReadExactly(header);
                var length = BinaryPrimitives.ReadInt32BigEndian(header) >>> 8;
                answers.ReadExactly(payload, 0, length);
                Take(header[3], header[4], BinaryPrimitives.ReadInt32BigEndian(header.AsSpan(5)) & int.MaxValue, payload.AsSpan(0, length));
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            End();
        }
    }

    private void Take(byte type, byte flags, int stream, ReadOnlySpan<byte> payload)
    {
        Call? ended = null;
        var status = 0;
        lock (_gate)
        {
            switch (type)
            {
                case 4 when (flags & 1) == 0:
                    Append(4, 1, 0, []);
                    break;
                case 6 when (flags & 1) == 0:
                    Append(6, 1, 0, payload);
                    break;
                case 8 when stream == 0:
                    _window += BinaryPrimitives.ReadInt32BigEndian(payload);
                    break;
                case 0 when _calls.TryGetValue(stream, out var call) && payload.Length > 5:
                    call.Reply = payload[5..].ToArray();
                    break;
                case 3 when _calls.Remove(stream, out ended):
                    status = 14;
                    break;
            }

            if (type is 0 or 1 && (flags & EndStream) != 0 && _calls.Remove(stream, out ended))
            {
                status = type == 1 ? StatusIn(payload) : 13;
            }
        }

        ended?.Answered(new Answer(status == 0 ? ended.Reply : null, status));
    }

    private static int StatusIn(ReadOnlySpan<byte> block)
    {
        var at = block.IndexOf("grpc-status"u8);
        var value = at < 0 ? default : block[(at + "grpc-status".Length)..];
        return value.Length > 1 && int.TryParse(value.Slice(1, value[0]), out var status) ? status : 2;
    }

    private void End()
    {
        List<Call> lost;
        lock (_gate)
        {
            _isOver = true;
            lost = [.. _calls.Values];
            _calls.Clear();
        }

        lost.ForEach(call => call.Answered(new Answer(null, 14)));
    }

    private sealed class Call(Action<Answer> answered)
    {
        public Action<Answer> Answered { get; } = answered;

        public byte[]? Reply { get; set; }
    }
}
