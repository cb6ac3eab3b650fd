using System.Buffers;
using System.IO.Pipelines;
using FuncScaler.SlotBackends.Budget;
using Microsoft.AspNetCore.Connections;

namespace FuncScaler.Runtime.Service;

/// <summary>
/// Cuts HTTP/2 connections that send floods of frames which cost their sender nothing: streams that are opened and reset at once, pings and
/// settings, each of which has to be answered, and priorities. Kestrel limits what is open at a time, not how often.
/// </summary>
/// <remarks>
/// All the callers of a gateway may leave at once, so that as many resets may come together as a connection has streams. gRPC clients ping a
/// few times a second at most, and send their settings once.
/// </remarks>
public static class FrameLimits
{
    /// <summary>RST_STREAM frames of one connection: 20,000 at once, 1,000 a second.</summary>
    public static RateLimit Resets { get; } = new(20_000, TimeSpan.FromSeconds(20));

    /// <summary>PING, SETTINGS and PRIORITY frames of one connection, together: 1,000 at once, 100 a second.</summary>
    public static RateLimit Controls { get; } = new(1_000, TimeSpan.FromSeconds(10));

    /// <summary>Watches a connection that speaks HTTP/2 from its first byte on.</summary>
    public static ConnectionDelegate Use(ConnectionDelegate next, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(next);
        return async connection =>
        {
            var transport = connection.Transport;
            connection.Transport = new Watched(new Reader(transport.Input, connection, time), transport.Output);
            try
            {
                await next(connection).ConfigureAwait(false);
            }
            finally
            {
                connection.Transport = transport;
            }
        };
    }

    private sealed record Watched(PipeReader Input, PipeWriter Output) : IDuplexPipe;

    /// <summary>Hands on what is read, and looks at each frame's header on the way.</summary>
    private sealed class Reader(PipeReader inner, ConnectionContext connection, TimeProvider time) : PipeReader
    {
        private const int PrefaceBytes = 24;
        private const int HeaderBytes = 9;
        private const int TypeAt = 3;

        private readonly TokenBuckets _resets = new([Resets], time);
        private readonly TokenBuckets _controls = new([Controls], time);
        private readonly byte[] _header = new byte[HeaderBytes];
        private int _headerRead;
        private long _untilHeader = PrefaceBytes;
        private ReadOnlySequence<byte> _last;
        private long _lookedAt;

        public override async ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default) =>
            Looked(await inner.ReadAsync(cancellationToken).ConfigureAwait(false));

        public override bool TryRead(out ReadResult result)
        {
            var has = inner.TryRead(out result);
            if (has)
            {
                Looked(result);
            }

            return has;
        }

        public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

        public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
        {
            // What was looked at and not consumed is at the beginning of the next read.
            _lookedAt -= _last.Slice(0, consumed).Length;
            _last = default;
            inner.AdvanceTo(consumed, examined);
        }

        public override void CancelPendingRead() => inner.CancelPendingRead();

        public override void Complete(Exception? exception = null) => inner.Complete(exception);

        private ReadResult Looked(ReadResult result)
        {
            _last = result.Buffer;
            foreach (var part in result.Buffer.Slice(_lookedAt))
            {
                if (!IsWithinLimits(part.Span))
                {
                    connection.Abort(new ConnectionAbortedException("too many HTTP/2 frames of a kind that costs its sender nothing"));
                    break;
                }
            }

            _lookedAt = result.Buffer.Length;
            return result;
        }

        private bool IsWithinLimits(ReadOnlySpan<byte> bytes)
        {
            while (bytes.Length > 0)
            {
                if (_untilHeader > 0)
                {
                    var skipped = (int)Math.Min(_untilHeader, bytes.Length);
                    _untilHeader -= skipped;
                    bytes = bytes[skipped..];
                    continue;
                }

                var taken = Math.Min(HeaderBytes - _headerRead, bytes.Length);
                bytes[..taken].CopyTo(_header.AsSpan(_headerRead));
                _headerRead += taken;
                bytes = bytes[taken..];
                if (_headerRead == HeaderBytes)
                {
                    _headerRead = 0;
                    _untilHeader = (_header[0] << 16) | (_header[1] << 8) | _header[2];
                    if (!IsFrameWithinLimits(_header[TypeAt]))
                    {
                        return false;
                    }
                }
            }

            return true;
        }

        private bool IsFrameWithinLimits(byte type) => type switch
        {
            2 or 4 or 6 => _controls.TryTake(out _),
            3 => _resets.TryTake(out _),
            _ => true,
        };
    }
}
