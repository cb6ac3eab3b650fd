namespace FuncScaler.Runtime.Service;

/// <summary>
/// How many requests callers say an instance of a function serves at a time. Where callers differ, the smallest number counts from when it was said,
/// until nobody has said it for ten minutes: a request must not share an instance with more than its caller knows of. Safe for concurrent use.
/// </summary>
/// <param name="time">The clock.</param>
internal sealed class SaidConcurrency(TimeProvider time)
{
    /// <summary>For so long a smaller number counts after it was last said.</summary>
    public static readonly TimeSpan SmallestCounts = TimeSpan.FromMinutes(10);

    /// <summary>Functions beyond these have one request an instance.</summary>
    private const int MostFunctions = 100_000;

    private readonly Dictionary<MetaKey, (int Requests, long SaidTicks)> _functions = [];
    private readonly Lock _gate = new();
    private volatile bool _any;

    /// <summary>A caller has said it; what counts now.</summary>
    /// <param name="function">The function.</param>
    /// <param name="requests">What the caller says, from 1.</param>
    public int Agree(MetaKey function, int requests)
    {
        if (requests == 1 && !_any)
        {
            return 1;
        }

        lock (_gate)
        {
            var nowTicks = time.GetTimestamp();
            if (!_functions.TryGetValue(function, out var counts))
            {
                if (requests == 1 || _functions.Count == MostFunctions)
                {
                    return 1;
                }

                _any = true;
            }
            else if (requests > counts.Requests && time.GetElapsedTime(counts.SaidTicks, nowTicks) < SmallestCounts)
            {
                return counts.Requests;
            }

            _functions[function] = (requests, nowTicks);
            return requests;
        }
    }
}
