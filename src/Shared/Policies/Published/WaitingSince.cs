namespace FuncScaler.Policies.Published;

/// <summary>Since when the requests of a function wait. They are served in the order of arrival, so those that wait are the last that came.</summary>
internal sealed class WaitingSince
{
    private readonly Queue<long> _arrivedUs = new();

    /// <summary>A request arrived; it may wait.</summary>
    public void Arrived(long nowUs) => _arrivedUs.Enqueue(nowUs);

    /// <summary>When the request that waits the longest arrived, µs; null where nobody waits. Forgets those that were served.</summary>
    public long? FirstUs(in PoolView pool)
    {
        while (_arrivedUs.Count > pool.Waiters)
        {
            _arrivedUs.Dequeue();
        }

        return _arrivedUs.TryPeek(out var firstUs) ? firstUs : null;
    }

    /// <summary>The arrivals of those that wait, µs, the first of them first. To be used after <see cref="FirstUs"/>.</summary>
    public IEnumerable<long> AllUs => _arrivedUs;
}
