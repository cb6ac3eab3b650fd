namespace FuncScaler.Statistics;

/// <summary>
/// How much longer executions last that share their instance, and how many requests may share one therefore: what is used of a function's
/// concurrency limit.
/// </summary>
/// <remarks>
/// An execution counts in the class of how many requests its instance had on average meanwhile: 1, 2, 4, 8, … . A class is slow where its
/// executions last surely longer than those of the lowest class that is known, by more than a factor. Then as many requests share an instance
/// as in the class below. An hour later the class is forgotten and tried again, as functions change.
/// <para>
/// Averages are compared, not minima, as durations of requests differ by their nature (Netflix' concurrency-limits argues alike for its Gradient2
/// limit). They are averages of logarithms, because durations spread over orders of magnitude; "surely" is by two standard errors; at most
/// the last 64 executions of a class count. Source of the factor: two requests that share a processor each take twice as long, so that sharing
/// gains nothing; where requests mostly wait for others they take as long as alone. 1.5 is in the middle.
/// </para>
/// </remarks>
/// <param name="mostSlowdown">By which factor an execution may last longer; infinite where nothing is to be learned.</param>
public sealed class SharedExecutions(double mostSlowdown)
{
    /// <summary>The classes: up to 1024 requests.</summary>
    private const int ClassCount = 11;

    /// <summary>Executions below which a class tells nothing.</summary>
    private const int Fewest = 16;

    /// <summary>Executions of a class that count at most.</summary>
    private const int Remembered = 64;

    private const double StandardErrors = 2;

    /// <summary>How long fewer requests share an instance before a class more is tried, µs.</summary>
    private const long TryAgainUs = 3_600_000_000;

    private readonly Class[] _classes = new Class[ClassCount];
    private readonly double _most = Math.Log(mostSlowdown);
    private int _highest = ClassCount - 1;
    private long _highestSinceUs;

    /// <summary>The requests that may share an instance.</summary>
    /// <param name="limit">What the function allows.</param>
    public int Places(int limit) => _highest == ClassCount - 1 ? limit : Math.Min(limit, 1 << _highest);

    /// <summary>What is known of each class, the lowest first: its requests, executions, their typical time in µs, and how much slower than the lowest they are.</summary>
    public IEnumerable<(int Requests, int Executions, double TypicalUs, double? Slowdown)> Known
    {
        get
        {
            var alone = -1;
            for (var i = 0; i < ClassCount; i++)
            {
                var known = _classes[i];
                alone = alone < 0 && known.Count >= Fewest ? i : alone;
                if (known.Count > 0)
                {
                    yield return (1 << i, known.Count, Math.Exp(known.Mean), alone < 0 ? null : Math.Exp(known.Mean - _classes[alone].Mean));
                }
            }
        }
    }

    /// <summary>An execution has ended.</summary>
    /// <param name="meanRequests">How many requests its instance had on average meanwhile, itself included, from 1.</param>
    /// <param name="durationUs">How long it lasted, µs.</param>
    /// <param name="nowUs">The time, µs.</param>
    public void Add(double meanRequests, long durationUs, long nowUs)
    {
        if (_highest < ClassCount - 1 && nowUs - _highestSinceUs >= TryAgainUs)
        {
            Change(_highest + 1, forgotten: _highest + 1, nowUs);
        }

        var number = Math.Clamp((int)Math.Round(Math.Log2(meanRequests)), 0, ClassCount - 1);
        ref var its = ref _classes[number];
        its.Add(Math.Log(Math.Max(1, durationUs)));
        if (its.Count < Fewest || Alone(number) is not { } alone)
        {
            return;
        }

        var longer = its.Mean - alone.Mean;
        if (longer - (StandardErrors * Math.Sqrt(its.ErrorSquared + alone.ErrorSquared)) > _most)
        {
            Change(number - 1, forgotten: number, nowUs);
        }
    }

    /// <summary>The lowest class below another one of which enough is known; null for none.</summary>
    private Class? Alone(int below)
    {
        for (var i = 0; i < below; i++)
        {
            if (_classes[i].Count >= Fewest)
            {
                return _classes[i];
            }
        }

        return null;
    }

    private void Change(int highest, int forgotten, long nowUs)
    {
        _highest = highest;
        _highestSinceUs = nowUs;
        Array.Clear(_classes, forgotten, ClassCount - forgotten);
    }

    private struct Class
    {
        public int Count;
        public double Mean;
        private double _variance;

        /// <summary>The square of the mean's standard error.</summary>
        public readonly double ErrorSquared => _variance / Count;

        /// <summary>Enters a value; of more than <see cref="Remembered"/> the older ones fade.</summary>
        public void Add(double value)
        {
            Count = Math.Min(Count + 1, Remembered);
            var off = value - Mean;
            Mean += off / Count;
            _variance = (1 - (1.0 / Count)) * (_variance + (off * off / Count));
        }
    }
}
