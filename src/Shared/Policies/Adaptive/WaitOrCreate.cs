using FuncScaler.Policies.Adaptive.Demand;

namespace FuncScaler.Policies.Adaptive;

/// <summary>Whether requests without an instance wait or get new instances: the one rule, for real pools and for pretended ones.</summary>
/// <remarks>
/// A new instance is ready after a cold start. By then the present instances have begun some of the waiting requests, and more requests
/// have arrived. The requests that are left form the queue. One more instance shortens the wait of all of them. It is created if this
/// saving, at the price of waiting, plus what the instance is worth afterwards, exceeds what the instance costs until it is ready.
/// An instance that several requests share counts as so many places, each of which serves one request at a time.
/// Example: 3 requests wait for 1 instance, executions last 2 s, none is expected to arrive, and 1 of the 3 can begin within a cold
/// start. The queue of 2 takes 4 s to drain, so one more instance saves about 4 s. At a price of 0.5 GB·s per s that is 2 GB·s.
/// </remarks>
internal static class WaitOrCreate
{
    /// <summary>The most instances created at one time.</summary>
    public const int MostAtOnce = 64;

    /// <summary>How many instances to create.</summary>
    /// <param name="queue">The queue as it is.</param>
    /// <param name="expected">How many requests may arrive within a cold start.</param>
    /// <param name="savedGbs">
    /// What the first new instance saves, GB·s. NaN if there was no instance, so that the first was needed anyway.
    /// </param>
    /// <param name="placesAtOnce">The number of places that one creation adds, from 1.</param>
    /// <returns>The number of creations, each of <paramref name="placesAtOnce"/> places.</returns>
    public static int Count(in Queue queue, ExpectedArrivals expected, out double savedGbs, int placesAtOnce = 1)
    {
        savedGbs = double.NaN;
        var create = 0;
        while (create < MostAtOnce)
        {
            // Without any instance no request would ever be served, so the first is created at any cost.
            var created = placesAtOnce * create;
            if (queue.Places + created > 0 || !queue.HasWaiting)
            {
                var gbs = expected.SavedGbs(queue.Late - created, queue.Places + created, queue.DurationUs, queue.PriceGbs, queue.PlacesPerInstance)
                    + (create == 0 ? queue.WorthGbs : 0);
                savedGbs = create == 0 ? gbs : savedGbs;
                if (!(gbs > queue.CreateGbs))
                {
                    break;
                }
            }

            create++;
        }

        return create;
    }

    /// <summary>A function's waiting requests, and what serves them.</summary>
    /// <param name="Places">The places of instances that are busy or in flight.</param>
    /// <param name="PlacesPerInstance">How many requests share an instance, from 1.</param>
    /// <param name="HasWaiting">Whether a request waits now.</param>
    /// <param name="Late">
    /// Requests that wait and cannot begin within a cold start. A negative number says how many more could begin.
    /// </param>
    /// <param name="DurationUs">How long an execution lasts, µs.</param>
    /// <param name="PriceGbs">What a second of waiting is worth, GB·s.</param>
    /// <param name="CreateGbs">What a new instance costs until it is ready, GB·s.</param>
    /// <param name="WorthGbs">What the first new instance is worth once the queue is gone, GB·s.</param>
    internal readonly record struct Queue(
        int Places, int PlacesPerInstance, bool HasWaiting, double Late, double DurationUs, double PriceGbs, double CreateGbs, double WorthGbs);
}
