namespace FuncScaler.Policies;

/// <summary>What becomes of an idle instance: it is let go now, or held until a time at which the policy is asked again.</summary>
public readonly record struct KeepDecision
{
    private KeepDecision(long untilUs) => UntilUs = untilUs;

    /// <summary>Gives the instance back to the backend now.</summary>
    public static KeepDecision LetGoNow => default;

    /// <summary>Until when the instance is held, µs on the pool's clock; 0 where it is let go now.</summary>
    public long UntilUs { get; }

    /// <summary>Holds the instance until a time, µs on the pool's clock. A time that is not later than now lets it go.</summary>
    public static KeepDecision HoldUntil(long us) => new(us);

    /// <summary>Holds the instance for good; the policy is asked again only where it says so (<see cref="StandbyPlan.ReviewIdle"/>).</summary>
    public static KeepDecision HoldForGood => new(long.MaxValue);
}
