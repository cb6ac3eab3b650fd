namespace FuncScaler.Policies.Basic;

/// <summary>
/// N instances of each function always ready, further ones on demand with a fixed keep-alive. Source: AWS Lambda's provisioned
/// concurrency, reserved instances of FunctionGraph, always-ready instances of Azure Functions.
/// </summary>
/// <remarks>
/// What the sources leave open, and what is taken here. Their users switch it on per function; a scaler learns of a function by its first
/// request, so "always" begins there, and each function gets the same N. Busy instances count among the N, as in all three. None states
/// its keep-alive of on-demand instances; the default is the template's 300 s.
/// </remarks>
public sealed class ProvisionedPolicy(ProvisionedPolicyOptions options) : IKeepAlivePolicy
{
    private const long LookAgainUs = 60_000_000;

    private readonly long _keepAliveUs = options.KeepAlive.ToUs();

    public bool HasStandby => true;

    // One of the N is not kept for good but looked at again: a slot that becomes ready later may have taken its place.
    public KeepDecision Keep(in PoolView pool, in IdleSlot slot) =>
        KeepDecision.HoldUntil(slot.Rank <= options.Instances ? pool.NowUs + LookAgainUs : slot.SinceUs + _keepAliveUs);

    public StandbyPlan Standby(in PoolView pool) =>
        StandbyPlan.Create(Math.Max(0, options.Instances - pool.Busy - pool.Idle - pool.InFlight));
}

/// <summary>Options of <see cref="ProvisionedPolicy"/>.</summary>
public sealed record ProvisionedPolicyOptions
{
    /// <summary>The instances that are always ready or busy, 0 to 100,000.</summary>
    /// <value>The default is 1.</value>
    public int Instances { get; init; } = 1;

    /// <summary>How long an idle instance beyond those is kept, from 0 to a year.</summary>
    /// <value>The default is 300 s.</value>
    public TimeSpan KeepAlive { get; init; } = TimeSpan.FromSeconds(300);

    internal ProvisionedPolicyOptions Read(PolicyOptionReader reader) => this with
    {
        Instances = reader.Whole("n", Instances, 0, 100_000, main: true),
        KeepAlive = reader.Time("keep", KeepAlive),
    };
}
