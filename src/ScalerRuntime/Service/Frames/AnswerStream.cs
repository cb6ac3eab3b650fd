using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Text;
using Grpc.Core;

namespace FuncScaler.Runtime.Service.Frames;

/// <summary>
/// What a connection is answered: the server's frames, and refusals between them. The server writes into a pipe, which is read on its own thread, so
/// that nothing changes threads on the way.
/// </summary>
/// <param name="output">The connection.</param>
/// <param name="abort">Ends the connection of a peer that does not read its answers.</param>
internal sealed class AnswerStream(PipeWriter output, Action abort)
{
    /// <summary>So many bytes of refusals may wait to be sent.</summary>
    private const int MostPending = 1 << 20;

    private readonly Pipe _server = new(new PipeOptions(readerScheduler: PipeScheduler.Inline, useSynchronizationContext: false));
    private readonly Lock _gate = new();
    private ArrayBufferWriter<byte> _pending = new();
    private ArrayBufferWriter<byte> _sending = new();
    private (string Why, TimeSpan RetryAfter, byte[] Fields) _refusal = ("", default, []);
    private int _widenBy;
    private bool _isBegun;
    private long _untilHeader;
    private int _headerRead;
    private readonly byte[] _header = new byte[FrameHeader.Bytes];

    /// <summary>Where the server writes.</summary>
    public PipeWriter ServerOutput => _server.Writer;

    private bool IsBetweenFrames => _isBegun && _untilHeader == 0 && _headerRead == 0;

    /// <summary>Refuses a stream whose request has come whole.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="why">A sentence in ASCII without percent signs.</param>
    /// <param name="retryAfter">When the caller may come again.</param>
    public void Refuse(int stream, string why, TimeSpan retryAfter)
    {
        lock (_gate)
        {
            if (_refusal.Why != why || _refusal.RetryAfter != retryAfter)
            {
                _refusal = (why, retryAfter, Fields.OfRefusal(why, ScalerRefusal.Milliseconds(retryAfter)));
            }

            new FrameHeader(_refusal.Fields.Length, FrameType.Headers, FrameHeader.EndHeaders | FrameHeader.EndStream, stream).WriteTo(_pending);
            _pending.Write(_refusal.Fields);
        }
    }

    /// <summary>The peer may send so many bytes of data more on this connection: those that were kept from the server.</summary>
    public void Widen(int bytes)
    {
        lock (_gate)
        {
            _widenBy += bytes;
        }
    }

    /// <summary>Sends what was refused, if anything was.</summary>
    public void Flush()
    {
        int pending;
        lock (_gate)
        {
            if (_widenBy > 0)
            {
                new FrameHeader(4, FrameType.WindowUpdate, 0, 0).WriteTo(_pending);
                System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(_pending.GetSpan(4), _widenBy);
                _pending.Advance(4);
                _widenBy = 0;
            }

            pending = _pending.WrittenCount;
        }

        if (pending > MostPending)
        {
            abort();
        }
        else if (pending > 0)
        {
            _server.Reader.CancelPendingRead();
        }
    }

    /// <summary>Sends until the server has written all, or the connection is over.</summary>
    public async Task SendAsync()
    {
        Exception? failure = null;
        try
        {
            while (true)
            {
                var result = await _server.Reader.ReadAsync().ConfigureAwait(false);
                foreach (var part in result.Buffer)
                {
                    Follow(part.Span);
                    output.Write(part.Span);
                }

                _server.Reader.AdvanceTo(result.Buffer.End);
                if (IsBetweenFrames)
                {
                    WritePending();
                }

                var flushed = await output.FlushAsync().ConfigureAwait(false);
                if (result.IsCompleted || flushed.IsCompleted)
                {
                    break;
                }
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or InvalidOperationException or ObjectDisposedException)
        {
            // The connection is over; the server hears of it when it writes next.
            failure = e;
        }

        await _server.Reader.CompleteAsync(failure).ConfigureAwait(false);
    }

    private void WritePending()
    {
        lock (_gate)
        {
            (_pending, _sending) = (_sending, _pending);
        }

        if (_sending.WrittenCount > 0)
        {
            output.Write(_sending.WrittenSpan);
            _sending.ResetWrittenCount();
        }
    }

    /// <summary>Keeps track of where the server's frames end: a refusal in the middle of one would break the connection.</summary>
    private void Follow(ReadOnlySpan<byte> bytes)
    {
        _isBegun |= bytes.Length > 0;
        while (bytes.Length > 0)
        {
            if (_untilHeader > 0)
            {
                var skipped = (int)Math.Min(_untilHeader, bytes.Length);
                _untilHeader -= skipped;
                bytes = bytes[skipped..];
                continue;
            }

            var taken = Math.Min(FrameHeader.Bytes - _headerRead, bytes.Length);
            bytes[..taken].CopyTo(_header.AsSpan(_headerRead));
            _headerRead += taken;
            bytes = bytes[taken..];
            if (_headerRead == FrameHeader.Bytes)
            {
                _headerRead = 0;
                _untilHeader = FrameHeader.Read(_header).Length;
            }
        }
    }

    /// <summary>The header fields of a refusal: literal, as the peer's table is the server's to use.</summary>
    private static class Fields
    {
        private const byte Status200 = 0x88;

        private static readonly byte[] Beginning =
        [
            Status200,
            .. Literal("content-type", "application/grpc"),
            .. Literal("grpc-status", ((int)StatusCode.ResourceExhausted).ToString(CultureInfo.InvariantCulture)),
        ];

        public static byte[] OfRefusal(string why, string retryAfterMs) =>
            [.. Beginning, .. Literal("grpc-message", why), .. Literal(ScalerRefusal.PushbackTrailer, retryAfterMs)];

        /// <summary>A field that enters no table, with texts shorter than 127 bytes.</summary>
        private static byte[] Literal(string name, string value) =>
            [0, (byte)name.Length, .. Encoding.ASCII.GetBytes(name), (byte)value.Length, .. Encoding.ASCII.GetBytes(value)];
    }
}
