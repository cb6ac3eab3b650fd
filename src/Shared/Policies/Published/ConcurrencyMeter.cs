namespace FuncScaler.Policies.Published;

/// <summary>
/// The mean number of active requests, waiting ones included, in each of the last intervals, divided by how many share an instance. Intervals
/// begin at whole multiples of their length on the pool's clock.
/// </summary>
/// <param name="intervalUs">The length of an interval, µs.</param>
/// <param name="kept">How many of the last intervals are remembered.</param>
internal sealed class ConcurrencyMeter(long intervalUs, int kept)
{
    // As a ring; _next is where the next one goes.
    private readonly double[] _means = new double[kept];
    private int _next;
    private long _sinceUs = -1;
    private double _requestUs;
    private double _active;

    /// <summary>Intervals that ended since the first look.</summary>
    public long Ended { get; private set; }

    /// <summary>How many of the last intervals are known.</summary>
    public int Count => (int)Math.Min(Ended, _means.Length);

    /// <summary>When the present interval ends, µs.</summary>
    public long EndUs => ((_sinceUs / intervalUs) + 1) * intervalUs;

    /// <summary>Takes in what has happened. To be called after each event, and before what is known is used.</summary>
    /// <returns>How many intervals have ended since the last call.</returns>
    public long Look(in PoolView pool)
    {
        var nowUs = pool.NowUs;
        _sinceUs = _sinceUs < 0 ? nowUs : _sinceUs;
        long ended = 0;
        if (nowUs >= EndUs)
        {
            var endUs = EndUs;
            _requestUs += (endUs - _sinceUs) * _active;
            Remember(_requestUs / intervalUs);
            var further = (nowUs - endUs) / intervalUs;
            for (var i = Math.Min(further, _means.Length); i > 0; i--)
            {
                Remember(_active);
            }

            ended = 1 + further;
            Ended += ended;
            _requestUs = 0;
            _sinceUs = endUs + (further * intervalUs);
        }

        _requestUs += (nowUs - _sinceUs) * _active;
        _sinceUs = nowUs;
        _active = (double)pool.Statistics.Active / pool.Places;
        return ended;
    }

    /// <summary>The mean of so many of the last intervals, or of as many as there are; 0 where there is none.</summary>
    public double MeanOf(int intervals)
    {
        var n = Math.Min(intervals, Count);
        double sum = 0;
        for (var back = 1; back <= n; back++)
        {
            sum += Back(back);
        }

        return n == 0 ? 0 : sum / n;
    }

    /// <summary>The largest of so many of the last intervals.</summary>
    public double MaxOf(int intervals)
    {
        double max = 0;
        for (var back = 1; back <= Math.Min(intervals, Count); back++)
        {
            max = Math.Max(max, Back(back));
        }

        return max;
    }

    /// <summary>Copies the last intervals, oldest first.</summary>
    /// <returns>How many were copied.</returns>
    public int CopyLast(Span<double> into)
    {
        var n = Math.Min(into.Length, Count);
        for (var i = 0; i < n; i++)
        {
            into[i] = Back(n - i);
        }

        return n;
    }

    private double Back(int intervals) => _means[(_next - intervals + _means.Length) % _means.Length];

    private void Remember(double mean)
    {
        _means[_next] = mean;
        _next = (_next + 1) % _means.Length;
    }
}
