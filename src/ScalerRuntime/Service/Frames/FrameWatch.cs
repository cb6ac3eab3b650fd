using System.Buffers;
using System.IO.Pipelines;
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
                shedding = new FrameShedding(limits, answers, time);
                connection.Features.Set(shedding);
                sending = answers.SendAsync();
            }

            connection.Transport = new Watched(
                new Reader(transport.Input, connection, new FrameLimits(time), shedding, answers, time), answers?.ServerOutput ?? transport.Output);
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
    private sealed class Reader(
        PipeReader inner, ConnectionContext connection, FrameLimits limits, FrameShedding? shedding, AnswerStream? answers, TimeProvider time) : PipeReader
    {
        private const int PrefaceBytes = 24;

        /// <summary>The largest payload that may be sent, as no other is agreed on (RFC 9113, section 6.5.2).</summary>
        private const int LargestFrame = 1 << 14;

        /// <summary>
        /// So long frames gather in an overload before they are read: to read what came, and to answer it, costs much the same for one frame and for a hundred.
        /// </summary>
        private static readonly TimeSpan Gathering = TimeSpan.FromMilliseconds(20);

        /// <summary>So many requests are handed on at once; the next ones when the process has room for them.</summary>
        private const int MostAtOnce = 64;

        private long _untilFrames = PrefaceBytes;
        private long _readTicks = time.GetTimestamp();

        /// <summary>Since when there were always requests that the process had no room for; null while all that comes is handed on.</summary>
        private long? _fullSinceTicks;

        /// <summary>Of what was read, there is more that was not looked at.</summary>
        private bool _isMore;

        /// <summary>So many bytes at the beginning of the next read were looked at, and are for the server.</summary>
        private long _lookedAt;
        private bool _isOver;

        /// <summary>What the server had no room for stands before frames that are kept from it.</summary>
        private bool _isKeptBehind;

        // Of what was read: what was handed on, and what is kept from the server behind it.
        private ReadOnlySequence<byte> _read;
        private long _handedOn;
        private long _kept;
        private long _lookedAtBehind;

        public override async ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
        {
            while (true)
            {
                if (shedding?.IsBusy == true)
                {
                    _fullSinceTicks = null;
                    if (!_isMore && _lookedAt == 0)
                    {
                        await Task.Delay(Gathering, time, cancellationToken).ConfigureAwait(false);
                    }
                }
                else if (shedding?.IsFull == true)
                {
                    _fullSinceTicks ??= _readTicks;
                    await shedding.WaitForRoomAsync(_fullSinceTicks.Value, cancellationToken).ConfigureAwait(false);
                }

                // What is there already may have been there since the last read.
                var cameTicks = _fullSinceTicks ?? _readTicks;
                var reading = inner.ReadAsync(cancellationToken);
                var isThere = reading.IsCompleted;
                var read = await reading.ConfigureAwait(false);
                _readTicks = time.GetTimestamp();
                _fullSinceTicks = isThere ? _fullSinceTicks : null;
                var isWhole = TryHandOn(read, out var result);
                shedding?.Came(isThere ? cameTicks : _readTicks);
                if (isWhole)
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
            var left = _handedOn - _read.Slice(0, consumed).Length;
            if (left == 0)
            {
                Advance();
                return;
            }

            // The server takes as much as it has room for. The rest is handed on once more, before what is behind it is looked at.
            _lookedAt = left;
            _isKeptBehind = _kept > 0;
            inner.AdvanceTo(consumed, _kept == 0 && !_isMore && examined.Equals(_read.GetPosition(_handedOn)) ? _read.End : examined);
        }

        public override void CancelPendingRead() => inner.CancelPendingRead();

        public override void Complete(Exception? exception = null) => inner.Complete(exception);

        /// <summary>False where there is no whole frame for the server yet: then more has to be read.</summary>
        private bool TryHandOn(ReadResult read, out ReadResult handedOn)
        {
            _read = read.Buffer;
            _handedOn = _lookedAt;
            if (!_isKeptBehind)
            {
                (_kept, _lookedAtBehind, _isMore) = (0, 0, false);
                Look(_read.Slice(_lookedAt));
                answers?.Flush();
            }

            _isKeptBehind = false;
            if ((_isOver || (read.IsCompleted && !_isMore)) && _kept == 0)
            {
                // What is left is no whole frame, or nobody looks any more.
                _handedOn = _read.Length;
            }

            handedOn = new ReadResult(_read.Slice(0, _handedOn), read.IsCanceled, read.IsCompleted && _handedOn + _kept == _read.Length);
            if (_handedOn > 0 || handedOn.IsCompleted || read.IsCanceled)
            {
                return true;
            }

            Advance();
            return false;
        }

        /// <summary>Goes on behind what was handed on and what was kept.</summary>
        private void Advance()
        {
            var to = _read.GetPosition(_handedOn + _kept);

            // Behind it there is a frame that was looked at, or less than one.
            inner.AdvanceTo(to, _isMore || _lookedAtBehind > 0 ? to : _read.End);
            _lookedAt = _lookedAtBehind;
            _read = default;
        }

        /// <summary>Looks at whole frames, up to the first one for the server behind some that are kept from it.</summary>
        private void Look(ReadOnlySequence<byte> rest)
        {
            var skipped = Math.Min(_untilFrames, rest.Length);
            _untilFrames -= skipped;
            _handedOn += skipped;
            rest = rest.Slice(skipped);
            Span<byte> header = stackalloc byte[FrameHeader.Bytes];
            var requests = 0;
            while (!_isOver && _lookedAtBehind == 0 && rest.Length >= FrameHeader.Bytes)
            {
                rest.Slice(0, FrameHeader.Bytes).CopyTo(header);
                var frame = FrameHeader.Read(header);
                var length = FrameHeader.Bytes + frame.Length;
                if (frame.Length > LargestFrame && _kept == 0)
                {
                    // The server ends the connection for it, and says why.
                    _isOver = true;
                    break;
                }

                if (rest.Length < length)
                {
                    break;
                }

                if (frame.Type == FrameType.Headers && shedding is not null && _kept == 0 && ++requests > MostAtOnce)
                {
                    _isMore = true;
                    break;
                }

                if (!limits.TryTake(frame.Type, frame.Type == FrameType.Reset && shedding is not null ? shedding.AgeOf(frame.Stream) : TimeSpan.Zero))
                {
                    _isOver = true;
                    connection.Abort(new ConnectionAbortedException("too many HTTP/2 frames of a kind that costs its sender nothing"));
                    break;
                }

                if (shedding?.Takes(frame, rest.Slice(FrameHeader.Bytes, frame.Length)) == true)
                {
                    _kept += length;
                }
                else if (_kept > 0)
                {
                    _lookedAtBehind = length;
                }
                else
                {
                    _handedOn += length;
                }

                rest = rest.Slice(length);
            }
        }
    }
}
