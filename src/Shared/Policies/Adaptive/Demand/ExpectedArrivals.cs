namespace FuncScaler.Policies.Adaptive.Demand;

/// <summary>
/// How many requests may arrive within a cold start's time: a small distribution, a list of numbers with a weight for each. All decisions
/// of a scaler use the same object, one after another.
/// </summary>
internal sealed class ExpectedArrivals
{
    private readonly double[] _weights = new double[BurstSizes.Bins + 1];
    private readonly double[] _requests = new double[BurstSizes.Bins + 1];
    private double _weight;
    private int _count;

    /// <summary>Begins a new distribution with one number of requests.</summary>
    public ExpectedArrivals Start(double requests, double weight = 1)
    {
        (_count, _weight) = (0, 0);
        return Or(requests, weight);
    }

    /// <summary>Adds a further number of requests.</summary>
    public ExpectedArrivals Or(double requests, double weight)
    {
        _requests[_count] = requests;
        _weights[_count++] = weight;
        _weight += weight;
        return this;
    }

    /// <summary>
    /// The value of the waiting that one more instance saves, GB·s, over all requests in the queue when the instance is ready. The saving
    /// grows with the square of the queue, so it is averaged over the distribution: a small chance of a long queue can matter more than the
    /// mean queue. With n places, a queue of L requests drains in T = L · duration / n. One more place is taken to save T² / (2 ·
    /// duration), and K more places K · n / (n + K - 1) times as much; the saving is at least T.
    /// </summary>
    /// <param name="late">
    /// Requests that wait now and cannot begin within a cold start. A negative number says how many more could begin.
    /// </param>
    /// <param name="places">The places that serve the queue without the new instance.</param>
    /// <param name="durationUs">How long an execution lasts, µs.</param>
    /// <param name="priceGbs">What a second of waiting is worth, GB·s.</param>
    /// <param name="newPlaces">The places of the new instance, from 1.</param>
    public double SavedGbs(double late, int places, double durationUs, double priceGbs, int newPlaces = 1)
    {
        places = Math.Max(1, places);
        var share = newPlaces == 1 ? 1 : (double)newPlaces * places / (places + newPlaces - 1);
        double savedUs = 0;
        for (var i = 0; i < _count; i++)
        {
            var drainUs = Math.Max(0, late + _requests[i]) * durationUs / places;
            savedUs += _weights[i] * Math.Max(drainUs, share * (drainUs * drainUs / (2 * durationUs)));
        }

        return priceGbs * savedUs / (1e6 * _weight);
    }
}
