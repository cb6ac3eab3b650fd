namespace FuncScaler.Policies.Adaptive.Demand;

/// <summary>How many requests may come within the time of a cold start, and how likely that is. Used anew for each decision.</summary>
internal sealed class CrowdOutlook
{
    private readonly double[] _weights = new double[CrowdSizes.Bins + 1];
    private readonly double[] _requests = new double[CrowdSizes.Bins + 1];
    private double _weight;
    private int _count;

    /// <summary>Begins anew: so many are to come.</summary>
    public CrowdOutlook Start(double requests, double weight = 1)
    {
        (_count, _weight) = (0, 0);
        return Or(requests, weight);
    }

    /// <summary>Or so many are, by weight.</summary>
    public CrowdOutlook Or(double requests, double weight)
    {
        _requests[_count] = requests;
        _weights[_count++] = weight;
        _weight += weight;
        return this;
    }

    /// <summary>
    /// What another server saves requests that could not begin within the time its creation takes, GBs: it begins when that time is over, and
    /// the queue that has then formed is gone the sooner for all who are in it. A small chance of a large crowd can be worth more than its mean.
    /// </summary>
    /// <param name="late">How many are there already and could not begin; negative for how many more could.</param>
    /// <param name="servers">How many servers there are.</param>
    /// <param name="durationUs">How long an execution lasts, µs.</param>
    /// <param name="price">What a second of waiting is worth, GBs.</param>
    /// <param name="worthGbs">What the server is worth afterwards, GBs.</param>
    public double SavedByOneMore(double late, int servers, double durationUs, double price, double worthGbs)
    {
        double savedUs = 0;
        for (var i = 0; i < _count; i++)
        {
            var drainUs = Math.Max(0, late + _requests[i]) * durationUs / Math.Max(1, servers);
            savedUs += _weights[i] * Math.Max(drainUs, drainUs * drainUs / (2 * durationUs));
        }

        return (price * savedUs / (1e6 * _weight)) + worthGbs;
    }
}
