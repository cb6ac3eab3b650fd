namespace FuncScaler.Policies.Adaptive.Demand;

/// <summary>
/// How many requests may arrive within a cold start's time: a small distribution, each count with its weight. One object serves all
/// decisions of a scaler in turn.
/// </summary>
internal sealed class ExpectedArrivals
{
    private readonly double[] _weights = new double[BurstSizes.Bins + 1];
    private readonly double[] _requests = new double[BurstSizes.Bins + 1];
    private double _weight;
    private int _count;

    /// <summary>Begins a new distribution with one count.</summary>
    public ExpectedArrivals Start(double requests, double weight = 1)
    {
        (_count, _weight) = (0, 0);
        return Or(requests, weight);
    }

    /// <summary>Adds a further count.</summary>
    public ExpectedArrivals Or(double requests, double weight)
    {
        _requests[_count] = requests;
        _weights[_count++] = weight;
        _weight += weight;
        return this;
    }

    /// <summary>
    /// What the waiting is worth that one more instance saves once it is ready, GB·s, over all requests that are in the queue at that time. A
    /// small chance of a long queue can be worth more than the mean queue, so each count is weighed by itself. With n places a queue of L requests
    /// drains in T = L · duration / n and waits L · T / 2 in all. K more places make that n / (n + K) of it, which for one place is a saving
    /// of T² / (2 · duration).
    /// </summary>
    /// <param name="late">Requests that wait now and cannot begin within a cold start; negative for how many more could begin.</param>
    /// <param name="places">The places that the queue has without the new instance's.</param>
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
