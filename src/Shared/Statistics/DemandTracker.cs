using FuncScaler.Learned;

namespace FuncScaler.Statistics;

/// <summary>
/// What the requests of one function ask for, whatever the pool does about it: concurrency and idle gaps as they would be had each request
/// begun the moment it arrived. Cold starts make requests pile up; gaps measured on the pile would blame the demand for them.
/// </summary>
internal sealed class DemandTracker
{
    private readonly Queue<long> _unresolved = new(2);

    /// <summary>When requests end, ascending; those before <see cref="_firstEnd"/> have been dealt with.</summary>
    private readonly List<long> _ends = [];
    private int _firstEnd;
    private long[] _freedAtUs = [];
    private int _active;
    private int _ranksSeen;

    /// <summary>Whether arrivals are yet to be given out.</summary>
    public bool HasOpen => _unresolved.Count > 0;

    /// <summary>When the next one to be given out came, µs; <see cref="long.MaxValue"/> for none.</summary>
    public long OpenSinceUs => _unresolved.TryPeek(out var arrivedUs) ? arrivedUs : long.MaxValue;

    /// <summary>A request arrived.</summary>
    public void Arrived(long nowUs) => _unresolved.Enqueue(nowUs);

    /// <summary>A request that began at once would have ended at this time.</summary>
    public void Ended(long atUs)
    {
        int low = _firstEnd, high = _ends.Count;
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = _ends[middle] > atUs ? (low, middle) : (middle + 1, high);
        }

        _ends.Insert(low, atUs);
    }

    /// <summary>The next request in order of arrival, if it came no later than this time.</summary>
    /// <param name="untilUs">Up to when it is known which of the requests before had ended, µs.</param>
    /// <param name="demand">The request.</param>
    public bool TryNext(long untilUs, out RankedArrival demand)
    {
        if (!_unresolved.TryPeek(out var arrivedUs) || arrivedUs > untilUs)
        {
            demand = default;
            return false;
        }

        _unresolved.Dequeue();
        while (_active > 0 && _firstEnd < _ends.Count && _ends[_firstEnd] <= arrivedUs)
        {
            _freedAtUs[--_active] = _ends[_firstEnd++];
        }

        // Half of the list at least, so that each of many arrivals moves little of it.
        if (2 * _firstEnd >= _ends.Count)
        {
            _ends.RemoveRange(0, _firstEnd);
            _firstEnd = 0;
        }

        _active++;
        if (_active <= _ranksSeen)
        {
            demand = new RankedArrival(arrivedUs, _active, arrivedUs - _freedAtUs[_active - 1]);
            return true;
        }

        _ranksSeen = _active;
        if (_freedAtUs.Length < _ranksSeen)
        {
            Array.Resize(ref _freedAtUs, Math.Max(2, 2 * _ranksSeen));
        }

        demand = new RankedArrival(arrivedUs, _active, -1);
        return true;
    }

    /// <summary>Writes when the first ranks were freed; a higher rank counts as never used when it is read again.</summary>
    public void Write(LearnedWriter writer, int mostRanks)
    {
        var ranks = Math.Min(_ranksSeen, mostRanks);
        writer.Whole(ranks);
        var beforeUs = writer.NowUs;
        for (var rank = 0; rank < ranks; rank++)
        {
            // A rank that is in use is free from now on, unless the request that has it is taken over.
            writer.NearTime(rank < _active ? writer.NowUs : _freedAtUs[rank], ref beforeUs);
        }
    }

    public void Read(LearnedReader reader, int mostRanks)
    {
        _ranksSeen = reader.Count(mostRanks);
        _freedAtUs = new long[_ranksSeen];
        var beforeUs = reader.WrittenUs;
        foreach (ref var atUs in _freedAtUs.AsSpan())
        {
            atUs = reader.NearTime(ref beforeUs);
        }
    }

    /// <summary>Requests of a former run are taken over, which are being executed.</summary>
    public void Resume(int requests)
    {
        _active += requests;
        _ranksSeen = Math.Max(_ranksSeen, _active);
        if (_freedAtUs.Length < _ranksSeen)
        {
            Array.Resize(ref _freedAtUs, _ranksSeen);
        }
    }
}
