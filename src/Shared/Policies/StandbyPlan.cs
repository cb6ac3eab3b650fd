namespace FuncScaler.Policies;

/// <summary>Which instances to have ready ahead of requests.</summary>
/// <param name="CreateNow">How many slots to create now, from 0.</param>
/// <param name="ReviewAtUs">When to ask again at the latest, µs on the pool's clock; <see cref="long.MaxValue"/> for not before the next change.</param>
/// <param name="ReviewIdle">Whether to ask again, now, how long each idle instance is kept.</param>
public readonly record struct StandbyPlan(int CreateNow, long ReviewAtUs, bool ReviewIdle = false)
{
    /// <summary>Nothing ahead of time.</summary>
    public static StandbyPlan None { get; } = new(0, long.MaxValue);

    /// <summary>Creates instances now.</summary>
    public static StandbyPlan Create(int instances) => new(instances, long.MaxValue);

    /// <summary>Creates nothing yet; asks again at a time, µs on the pool's clock, to create then.</summary>
    public static StandbyPlan CreateAt(long us) => new(0, us);
}
