using System.Buffers;

namespace FuncScaler.Runtime.Service.Frames;

/// <summary>
/// Refuses assigns of one connection by their frames, before the server reads them. To refuse a request that has become one costs about as much as
/// to serve it, so that from a few times the load on a server would do nothing else.
/// </summary>
/// <remarks>
/// The server never hears of a refused stream, so that nothing later of the stream may reach it either. Compressed header fields can be skipped because
/// the peer was told to keep no table of them, which holds from its acknowledgement on.
/// </remarks>
/// <param name="admission">Says who is let in.</param>
/// <param name="answers">Where refusals are written.</param>
/// <param name="time">The clock.</param>
internal sealed class FrameShedding(Admission admission, AnswerStream answers, TimeProvider time)
{
    /// <summary>So many reads are remembered, to tell how old a request is; those within 10 ms as one.</summary>
    private const int Reads = 256;

    private static readonly TimeSpan OneRead = TimeSpan.FromMilliseconds(10);

    /// <summary>How often a connection that waits looks whether there is room.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(5);

    private const int PriorityBytes = 5;

    /// <summary>So many streams may be refused before their requests have been sent whole; further ones are let through.</summary>
    private const int MostOpen = 16_384;

    private readonly Dictionary<int, (string Why, TimeSpan RetryAfter)> _open = [];
    private readonly (int Highest, long CameTicks)[] _reads = new (int, long)[Reads];
    private readonly Lock _gate = new();
    private int _lastRead;
    private int _highestSeen;
    private int _highestLetIn;
    private int _highestRefused;

    /// <summary>Whether requests of this connection are refused here, so that they need not be looked at again.</summary>
    public bool IsSettled { get; private set; }

    /// <summary>Whether assigns are refused now.</summary>
    public bool IsBusy => admission.Sheds && IsSettled;

    /// <summary>Whether the process has no room for further requests, and nobody has said yet that they are refused.</summary>
    public bool IsFull => !admission.Sheds && admission.IsFull;

    /// <summary>Waits until the process has room for further requests, or refuses them.</summary>
    /// <param name="sinceTicks">Since when they have waited.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async ValueTask WaitForRoomAsync(long sinceTicks, CancellationToken cancellationToken)
    {
        do
        {
            admission.CountWait(time.GetElapsedTime(sinceTicks));
            await Task.Delay(Pause, time, cancellationToken).ConfigureAwait(false);
        }
        while (IsFull);
    }

    /// <summary>Whether a frame is kept from the server.</summary>
    /// <param name="frame">Its header.</param>
    /// <param name="payload">Its payload.</param>
    public bool Takes(FrameHeader frame, ReadOnlySequence<byte> payload)
    {
        switch (frame.Type)
        {
            case FrameType.Settings:
                IsSettled |= frame.Has(FrameHeader.Acknowledges);
                return false;
            case FrameType.Headers when frame.Stream > _highestSeen:
                _highestSeen = frame.Stream;
                return TakesRequest(frame, payload);
            default:
                return frame.Stream != 0 && frame.Stream <= _highestRefused && TakesRest(frame);
        }
    }

    /// <summary>What was let in since the last time came then at the soonest.</summary>
    public void Came(long ticks)
    {
        lock (_gate)
        {
            if (_highestLetIn > _reads[_lastRead].Highest)
            {
                if (time.GetElapsedTime(_reads[_lastRead].CameTicks, ticks) > OneRead)
                {
                    _lastRead = (_lastRead + 1) % Reads;
                    _reads[_lastRead].CameTicks = ticks;
                }

                _reads[_lastRead].Highest = _highestLetIn;
            }
        }
    }

    /// <summary>How long ago a request came that was let in; as long as is remembered where it is older, and none where it was not let in.</summary>
    public TimeSpan AgeOf(int stream)
    {
        lock (_gate)
        {
            var at = _lastRead;
            if (_reads[at].Highest < stream)
            {
                return TimeSpan.Zero;
            }

            for (var before = Before(at); before != _lastRead && _reads[before].Highest >= stream; before = Before(at))
            {
                at = before;
            }

            return time.GetElapsedTime(_reads[at].CameTicks);
        }

        static int Before(int read) => (read + Reads - 1) % Reads;
    }

    private bool TakesRequest(FrameHeader frame, ReadOnlySequence<byte> payload)
    {
        if (!admission.Sheds
            || !IsSettled
            || !frame.Has(FrameHeader.EndHeaders)
            || frame.Has(FrameHeader.Padded)
            || _open.Count >= MostOpen
            || !IsAssign(frame, payload)
            || admission.TryEnter(out var why, out var retryAfter))
        {
            _highestLetIn = frame.Stream;
            return false;
        }

        _highestRefused = frame.Stream;
        if (frame.Has(FrameHeader.EndStream))
        {
            answers.Refuse(frame.Stream, why, retryAfter);
        }
        else
        {
            // Answered when all of it has come: then the stream is over for both sides.
            _open.Add(frame.Stream, (why, retryAfter));
        }

        return true;
    }

    private bool TakesRest(FrameHeader frame)
    {
        var isOpen = _open.TryGetValue(frame.Stream, out var refusal);
        if (!isOpen && frame.Stream <= _highestLetIn)
        {
            // Either the server knows the stream, or it takes it for one that was closed, and nothing but resets comes of those.
            return false;
        }

        if (frame.Type == FrameType.Data)
        {
            answers.Widen(frame.Length);
        }

        if (frame.Type == FrameType.Reset)
        {
            _open.Remove(frame.Stream);
        }
        else if (isOpen && frame.Type is FrameType.Data or FrameType.Headers && frame.Has(FrameHeader.EndStream))
        {
            _open.Remove(frame.Stream);
            answers.Refuse(frame.Stream, refusal.Why, refusal.RetryAfter);
        }

        return true;
    }

    private static bool IsAssign(FrameHeader frame, ReadOnlySequence<byte> payload)
    {
        var skipped = frame.Has(FrameHeader.HasPriority) ? PriorityBytes : 0;
        if (payload.Length < skipped)
        {
            return false;
        }

        var block = payload.Slice(skipped);
        return HeaderBlock.IsAssign(block.IsSingleSegment ? block.FirstSpan : block.ToArray());
    }
}
