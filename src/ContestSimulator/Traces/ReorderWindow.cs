namespace FuncScaler.ContestSimulator.Traces;

/// <summary>
/// Puts requests that come slightly out of order into order. A request leaves once one that starts a whole window later has come.
/// Requests that come in order cost a queue's append and take; only stragglers go through a heap. Memory is one window of trace.
/// </summary>
/// <param name="windowUs">How much too late in the file a request may come, µs of trace.</param>
internal sealed class ReorderWindow(long windowUs)
{
    private readonly Queue<TraceRequest> _inOrder = new();
    private readonly PriorityQueue<TraceRequest, (long StartUs, long Sequence)> _stragglers = new();
    private long _latestUs = long.MinValue;
    private long _sequence;

    /// <summary>Takes a request in.</summary>
    /// <returns>False when it is too late: it starts more than the window before one that came earlier.</returns>
    public bool TryAdd(in TraceRequest request)
    {
        if (request.StartUs >= _latestUs)
        {
            _latestUs = request.StartUs;
            _inOrder.Enqueue(request);
            return true;
        }

        if (request.StartUs < _latestUs - windowUs)
        {
            return false;
        }

        _stragglers.Enqueue(request, (request.StartUs, _sequence++));
        return true;
    }

    /// <summary>Gives the earliest request that nothing still to come may precede.</summary>
    /// <param name="request">The request.</param>
    /// <param name="atEnd">Nothing is still to come.</param>
    public bool TryTake(out TraceRequest request, bool atEnd)
    {
        // A straggler came after all in-order requests of its own start, so on a tie the queue goes first.
        var fromStragglers = _stragglers.TryPeek(out var straggler, out _)
            && (!_inOrder.TryPeek(out var head) || straggler.StartUs < head.StartUs);
        if (!fromStragglers && !_inOrder.TryPeek(out straggler))
        {
            request = default;
            return false;
        }

        request = straggler;
        if (!atEnd && request.StartUs > _latestUs - windowUs)
        {
            return false;
        }

        if (fromStragglers)
        {
            _stragglers.Dequeue();
        }
        else
        {
            _inOrder.Dequeue();
        }

        return true;
    }
}
