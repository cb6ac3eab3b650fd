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

    public bool HasStandby => true;

    // One of the N is not kept for good but looked at again: a slot that becomes ready later may have taken its place.
    public long KeepUntilUs(in PoolView pool, in IdleSlot slot) =>
        slot.Rank <= options.Instances ? pool.NowUs + LookAgainUs : slot.SinceUs + options.KeepAliveUs;

    public StandbyPlan Standby(in PoolView pool) =>
        new(Math.Max(0, options.Instances - pool.Busy - pool.Idle - pool.InFlight), long.MaxValue);
}

/// <param name="Instances">Instances that are always ready or busy, from 0.</param>
/// <param name="KeepAliveSeconds">How long an idle instance beyond those is kept, s, from 0.</param>
public sealed record ProvisionedPolicyOptions(int Instances = 1, double KeepAliveSeconds = 300)
{
    internal long KeepAliveUs { get; } = (long)(KeepAliveSeconds * 1e6);

    internal static ProvisionedPolicyOptions Read(PolicyOptionReader reader) => new(
        reader.Whole("n", 1, 0, 100_000, main: true),
        reader.Seconds("keep", 300));
}
