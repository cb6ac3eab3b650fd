namespace FuncScaler.Policies;

/// <summary>Instances to have ready ahead of requests.</summary>
/// <param name="CreateNow">Slots to create now.</param>
/// <param name="ReviewAtUs">When to ask again at the latest, µs; <see cref="long.MaxValue"/> for not before the next change.</param>
/// <param name="ReviewIdle">Whether to ask again, now, how long each idle instance is kept.</param>
public readonly record struct StandbyPlan(int CreateNow, long ReviewAtUs, bool ReviewIdle = false)
{
    /// <summary>Nothing ahead of time.</summary>
    public static StandbyPlan None { get; } = new(0, long.MaxValue);
}
