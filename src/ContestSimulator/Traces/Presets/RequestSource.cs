namespace FuncScaler.ContestSimulator.Traces.Presets;

/// <summary>An endless generator of requests in order of arrival; a trace merges several. Times are ms from the trace's beginning.</summary>
internal abstract class RequestSource
{
    /// <summary>When the current request arrives, ms; never decreasing.</summary>
    public long StartMs { get; protected set; }

    /// <summary>The current request's function.</summary>
    public int Function { get; protected set; }

    /// <summary>The current request's execution, ms.</summary>
    public long DurationMs { get; protected set; }

    public int StatusCode { get; protected set; } = 200;

    /// <summary>Moves to the next request.</summary>
    public abstract void Advance();
}

/// <summary>How long the executions of a function are: log-normal, in whole ms.</summary>
/// <param name="MeanMs">The mean, ms.</param>
/// <param name="Sigma">The spread of the logarithm.</param>
/// <param name="AddMs">A constant that each execution is longer by, ms.</param>
internal readonly record struct DurationModel(double MeanMs, double Sigma, double AddMs = 0)
{
    /// <summary>No execution is longer than this, ms.</summary>
    private const double LongestMs = 900_000;

    public long Sample(TraceRandom random) =>
        (long)Math.Round(AddMs + Math.Min(LongestMs, MeanMs * Math.Exp(Sigma * (random.NextNormal() - (Sigma / 2)))));
}

/// <summary>Merges sources by time; on a tie the source that stands first goes first.</summary>
internal sealed class SourceMerge
{
    private readonly RequestSource[] _sources;
    private readonly long[] _startsMs;
    private readonly int[] _heap;

    public SourceMerge(IReadOnlyList<RequestSource> sources)
    {
        _sources = [.. sources];
        _startsMs = new long[_sources.Length];
        _heap = new int[_sources.Length];
        for (var i = 0; i < _sources.Length; i++)
        {
            _sources[i].Advance();
            _startsMs[i] = _sources[i].StartMs;
            _heap[i] = i;
        }

        for (var i = (_heap.Length / 2) - 1; i >= 0; i--)
        {
            SiftDown(i);
        }
    }

    /// <summary>The source whose current request is the earliest; call <see cref="Advance"/> when it is used.</summary>
    public RequestSource Earliest => _sources[_heap[0]];

    public void Advance()
    {
        var source = _heap[0];
        _sources[source].Advance();
        _startsMs[source] = _sources[source].StartMs;
        SiftDown(0);
    }

    private void SiftDown(int at)
    {
        var heap = _heap;
        var moving = heap[at];
        while (true)
        {
            var child = (2 * at) + 1;
            if (child >= heap.Length)
            {
                break;
            }

            if (child + 1 < heap.Length && Precedes(heap[child + 1], heap[child]))
            {
                child++;
            }

            if (!Precedes(heap[child], moving))
            {
                break;
            }

            heap[at] = heap[child];
            at = child;
        }

        heap[at] = moving;
    }

    private bool Precedes(int a, int b) => _startsMs[a] < _startsMs[b] || (_startsMs[a] == _startsMs[b] && a < b);
}
