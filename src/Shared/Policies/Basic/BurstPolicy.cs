namespace FuncScaler.Policies.Basic;

/// <summary>
/// Every miss that creates an instance creates two more; after an interval two idle instances stay in reserve, and after a further
/// interval without use these go too. Source: the "pre-configured concurrency" of a fourth place of the contest of 2023.
/// </summary>
/// <remarks>
/// What the source leaves open, and what is taken here. It gives no interval: both are 60 s, as for <see cref="CappedPolicy"/>, and count
/// from when an instance became idle. It speaks of functions of which many instances are created in a very short time, without a number:
/// by default each miss counts as such; <see cref="BurstPolicyOptions.HotMisses"/> within <see cref="BurstPolicyOptions.HotSeconds"/>
/// narrows it. The reserve is the two most recently used; whether an instance is still among them is looked at once an interval,
/// at most once a second.
/// </remarks>
public sealed class BurstPolicy(BurstPolicyOptions options) : IKeepAlivePolicy
{
    // When the last misses that created an instance were, as a ring; the oldest is at _oldest.
    private readonly long[] _missesUs = NoMisses(options.HotMisses);
    private int _oldest;

    public int CreateOnMiss(in PoolView pool)
    {
        if (pool.Waiters <= pool.InFlight)
        {
            return 0;
        }

        _missesUs[_oldest] = pool.NowUs;
        _oldest = (_oldest + 1) % _missesUs.Length;
        var hot = _missesUs[_oldest] >= 0 && pool.NowUs - _missesUs[_oldest] <= options.HotUs;
        return hot ? 1 + options.Extra : 1;
    }

    public long KeepUntilUs(in PoolView pool, in IdleSlot slot)
    {
        var trimUs = slot.SinceUs + options.TrimUs;
        if (pool.NowUs < trimUs)
        {
            return trimUs;
        }

        var inReserve = slot.Rank - pool.Busy <= options.Reserve;
        return inReserve ? Math.Min(trimUs + options.ReleaseUs, pool.NowUs + Math.Max(1_000_000, options.TrimUs)) : pool.NowUs;
    }

    private static long[] NoMisses(int count)
    {
        var misses = new long[count];
        Array.Fill(misses, -1);
        return misses;
    }
}

/// <param name="Extra">Instances that a miss creates beyond its own, from 0.</param>
/// <param name="Reserve">Idle instances that stay after the first interval, from 0.</param>
/// <param name="TrimSeconds">The first interval, s, from 0; ours, the source gives none.</param>
/// <param name="ReleaseSeconds">The further interval after which the reserve goes, s, from 0; ours.</param>
/// <param name="HotMisses">How many misses that create make the function hot, from 1; 1 is every miss.</param>
/// <param name="HotSeconds">Within what time they must come, s.</param>
public sealed record BurstPolicyOptions(
    int Extra = 2,
    int Reserve = 2,
    double TrimSeconds = 60,
    double ReleaseSeconds = 60,
    int HotMisses = 1,
    double HotSeconds = 1)
{
    internal long TrimUs { get; } = (long)(TrimSeconds * 1e6);

    internal long ReleaseUs { get; } = (long)(ReleaseSeconds * 1e6);

    internal long HotUs { get; } = (long)(HotSeconds * 1e6);

    internal static BurstPolicyOptions Read(PolicyOptionReader reader) => new(
        reader.Whole("extra", 2, 0, 1000),
        reader.Whole("reserve", 2, 0, 100_000),
        reader.Seconds("trim", 60),
        reader.Seconds("release", 60),
        reader.Whole("hot", 1, 1, 1000),
        reader.Seconds("within", 1));
}
