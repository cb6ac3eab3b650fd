namespace FuncScaler.Policies.Basic;

/// <summary>
/// Every miss that creates an instance creates two more; after an interval two idle instances stay in reserve, and after a further
/// interval without use these go too. Source: the "pre-configured concurrency" of a fourth place of the contest of 2023.
/// </summary>
/// <remarks>
/// What the source leaves open, and what is taken here. It gives no interval: both are 60 s, as for <see cref="CappedPolicy"/>, and count
/// from when an instance became idle. It speaks of functions of which many instances are created in a very short time, without a number:
/// by default each miss counts as such; <see cref="BurstPolicyOptions.HotMisses"/> within <see cref="BurstPolicyOptions.HotWithin"/>
/// narrows it. The reserve is the two most recently used; whether an instance is still among them is looked at once an interval,
/// at most once a second.
/// </remarks>
public sealed class BurstPolicy(BurstPolicyOptions options) : IKeepAlivePolicy
{
    // When the last misses that created an instance were, as a ring; the oldest is at _oldest.
    private readonly long[] _missesUs = NoMisses(options.HotMisses);
    private readonly long _trimUs = options.TrimAfter.ToUs();
    private readonly long _releaseUs = options.ReleaseAfter.ToUs();
    private readonly long _hotUs = options.HotWithin.ToUs();
    private int _oldest;

    public int CreateOnMiss(in PoolView pool)
    {
        if (pool.Missing == 0)
        {
            return 0;
        }

        _missesUs[_oldest] = pool.NowUs;
        _oldest = (_oldest + 1) % _missesUs.Length;
        var hot = _missesUs[_oldest] >= 0 && pool.NowUs - _missesUs[_oldest] <= _hotUs;
        return hot ? 1 + options.Extra : 1;
    }

    public KeepDecision Keep(in PoolView pool, in IdleSlot slot)
    {
        var trimUs = slot.SinceUs + _trimUs;
        if (pool.NowUs < trimUs)
        {
            return KeepDecision.HoldUntil(trimUs);
        }

        var inReserve = slot.Rank - pool.Busy <= options.Reserve;
        return inReserve ? KeepDecision.HoldUntil(Math.Min(trimUs + _releaseUs, pool.NowUs + Math.Max(1_000_000, _trimUs))) : KeepDecision.LetGoNow;
    }

    private static long[] NoMisses(int count)
    {
        var misses = new long[count];
        Array.Fill(misses, -1);
        return misses;
    }
}

/// <summary>Options of <see cref="BurstPolicy"/>.</summary>
public sealed record BurstPolicyOptions
{
    /// <summary>The instances that a miss creates beyond its own, 0 to 1000.</summary>
    /// <value>The default is 2.</value>
    public int Extra { get; init; } = 2;

    /// <summary>The idle instances that stay after the first interval, 0 to 100,000.</summary>
    /// <value>The default is 2.</value>
    public int Reserve { get; init; } = 2;

    /// <summary>The first interval, from 0 to a year.</summary>
    /// <value>The default is 60 s, which is ours: the source gives none.</value>
    public TimeSpan TrimAfter { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>The further interval after which the reserve goes, from 0 to a year.</summary>
    /// <value>The default is 60 s, which is ours too.</value>
    public TimeSpan ReleaseAfter { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>The number of misses that make the function hot, 1 to 1000; with 1 every miss does.</summary>
    /// <value>The default is 1.</value>
    public int HotMisses { get; init; } = 1;

    /// <summary>The time within which these misses must come, from 0 to a year.</summary>
    /// <value>The default is 1 s.</value>
    public TimeSpan HotWithin { get; init; } = TimeSpan.FromSeconds(1);

    internal BurstPolicyOptions Read(PolicyOptionReader reader) => this with
    {
        Extra = reader.Whole("extra", Extra, 0, 1000),
        Reserve = reader.Whole("reserve", Reserve, 0, 100_000),
        TrimAfter = reader.Time("trim", TrimAfter),
        ReleaseAfter = reader.Time("release", ReleaseAfter),
        HotMisses = reader.Whole("hot", HotMisses, 1, 1000),
        HotWithin = reader.Time("within", HotWithin),
    };
}
