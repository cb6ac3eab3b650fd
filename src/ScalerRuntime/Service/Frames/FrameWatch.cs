using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Connections;

namespace FuncScaler.Runtime.Service.Frames;

/// <summary>Looks at the frames of an HTTP/2 connection before the server does: cuts off floods, and refuses assigns in an overload.</summary>
public static class FrameWatch
{
    /// <summary>Watches a connection that speaks HTTP/2 from its first byte on.</summary>
    /// <param name="next">What serves it.</param>
    /// <param name="time">The clock.</param>
    /// <param name="admission">Says which assigns are refused in an overload; null for none.</param>
    public static ConnectionDelegate Use(ConnectionDelegate next, TimeProvider time, Func<Admission?> admission)
    {
        ArgumentNullException.ThrowIfNull(next);
        ArgumentNullException.ThrowIfNull(admission);
        return async connection =>
        {
            var transport = connection.Transport;
            AnswerStream? answers = null;
            FrameShedding? shedding = null;
            var sending = Task.CompletedTask;
            if (admission() is { } limits)
            {
                answers = new AnswerStream(
                    transport.Output, () => connection.Abort(new ConnectionAbortedException("the peer does not read that its requests are refused")));
                shedding = new FrameShedding(limits, answers);
                connection.Features.Set(shedding);
                sending = answers.SendAsync();
            }

            connection.Transport = new Watched(new Reader(transport.Input, connection, new FrameLimits(time), shedding, answers), answers?.ServerOutput ?? transport.Output);
            try
            {
                await next(connection).ConfigureAwait(false);
            }
            finally
            {
                if (answers is not null)
                {
                    await answers.ServerOutput.CompleteAsync().ConfigureAwait(false);
                    await sending.ConfigureAwait(false);
                }

                connection.Transport = transport;
            }
        };
    }

    private sealed record Watched(PipeReader Input, PipeWriter Output) : IDuplexPipe;

    /// <summary>Hands on whole frames, and looks at each on the way.</summary>
    private sealed class Reader(PipeReader inner, ConnectionContext connection, FrameLimits limits, FrameShedding? shedding, AnswerStream? answers) : PipeReader
    {
        private const int PrefaceBytes = 24;

        /// <summary>The largest payload that may be sent, as no other is agreed on (RFC 9113, section 6.5.2).</summary>
        private const int LargestFrame = 1 << 14;

        private long _untilFrames = PrefaceBytes;

        /// <summary>How much of the next read was looked at already, as it was handed on and not consumed.</summary>
        private long _lookedAt;
        private bool _isOver;
        private ReadOnlySequence<byte> _read;
        private ReadOnlySequence<byte> _handedOn;

        public override async ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
        {
            while (true)
            {
                if (TryHandOn(await inner.ReadAsync(cancellationToken).ConfigureAwait(false), out var result))
                {
                    return result;
                }
            }
        }

        public override bool TryRead(out ReadResult result)
        {
            while (inner.TryRead(out result))
            {
                if (TryHandOn(result, out result))
                {
                    return true;
                }
            }

            return false;
        }

        public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

        public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
        {
            _lookedAt = _handedOn.Slice(consumed).Length;
            inner.AdvanceTo(consumed, examined.Equals(_handedOn.End) ? _read.End : examined);
            (_read, _handedOn) = (default, default);
        }

        public override void CancelPendingRead() => inner.CancelPendingRead();

        public override void Complete(Exception? exception = null) => inner.Complete(exception);

        /// <summary>False where there is no whole frame yet: then more has to be read.</summary>
        private bool TryHandOn(ReadResult read, out ReadResult handedOn)
        {
            _read = read.Buffer;
            var whole = WholeFrames(read.Buffer);
            answers?.Flush();
            _handedOn = read.IsCompleted || _isOver ? read.Buffer : read.Buffer.Slice(0, whole);
            handedOn = new ReadResult(_handedOn, read.IsCanceled, read.IsCompleted);
            if (!_handedOn.IsEmpty || read.IsCompleted || read.IsCanceled)
            {
                return true;
            }

            inner.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            return false;
        }

        /// <summary>Looks at the frames that are there whole, and says how many bytes they are.</summary>
        private long WholeFrames(ReadOnlySequence<byte> buffer)
        {
            var rest = buffer.Slice(_lookedAt);
            var skipped = Math.Min(_untilFrames, rest.Length);
            _untilFrames -= skipped;
            rest = rest.Slice(skipped);
            Span<byte> header = stackalloc byte[FrameHeader.Bytes];
            while (!_isOver && rest.Length >= FrameHeader.Bytes)
            {
                rest.Slice(0, FrameHeader.Bytes).CopyTo(header);
                var frame = FrameHeader.Read(header);
                if (frame.Length > LargestFrame)
                {
                    // The server ends the connection for it, and says why.
                    _isOver = true;
                    break;
                }

                if (rest.Length < FrameHeader.Bytes + frame.Length)
                {
                    break;
                }

                if (!limits.TryTake(frame.Type))
                {
                    _isOver = true;
                    connection.Abort(new ConnectionAbortedException("too many HTTP/2 frames of a kind that costs its sender nothing"));
                    break;
                }

                if (shedding?.Takes(frame, rest.Slice(FrameHeader.Bytes, frame.Length)) == true)
                {
                    SetType(rest, FrameType.Skipped);
                }

                rest = rest.Slice(FrameHeader.Bytes + frame.Length);
            }

            return buffer.Length - rest.Length;
        }

        /// <summary>Writes into the memory that was read into: it is the pipe's own, and nobody else reads it before the server does.</summary>
        private static void SetType(ReadOnlySequence<byte> frame, FrameType type) =>
            MemoryMarshal.AsMemory(frame.Slice(FrameHeader.TypeAt, 1).First).Span[0] = (byte)type;
    }
}
