namespace FuncScaler.Scoring;

/// <summary>
/// How long the memory of one instance was in use: once, however many requests shared it. Requests that had the instance to themselves count
/// what they executed, as in the contest. From the moment another one joins until the last has left, the instance's own time counts.
/// </summary>
public struct InstanceUse
{
    private long _countedUs;
    private bool _shared;

    /// <summary>A request got the instance.</summary>
    /// <param name="nowUs">The time, µs.</param>
    /// <param name="requests">How many hold it now, this one included.</param>
    public void Began(long nowUs, int requests)
    {
        _countedUs = requests == 1 ? nowUs : _countedUs;
        _shared = requests > 1;
    }

    /// <summary>A request has left the instance.</summary>
    /// <param name="nowUs">The time, µs.</param>
    /// <param name="executedUs">How long it had executed, µs.</param>
    /// <returns>For how long memory was in use that has not been counted yet, µs.</returns>
    public long Ended(long nowUs, long executedUs)
    {
        if (!_shared)
        {
            return executedUs;
        }

        var usedUs = nowUs - _countedUs;
        _countedUs = nowUs;
        return usedUs;
    }
}
