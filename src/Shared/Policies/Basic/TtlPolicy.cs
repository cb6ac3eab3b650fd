namespace FuncScaler.Policies.Basic;

/// <summary>
/// Keeps every idle instance for a fixed time. Source: the contest's template (300 s), OpenWhisk (600 s), AWS Lambda and others.
/// </summary>
public sealed class TtlPolicy(TtlPolicyOptions options) : IKeepAlivePolicy
{
    public long KeepUntilUs(in PoolView pool, in IdleSlot slot) => slot.SinceUs + options.KeepAliveUs;
}

/// <param name="KeepAliveSeconds">How long an idle instance is kept, s; 0 or more. Default 300, the contest's template.</param>
public sealed record TtlPolicyOptions(double KeepAliveSeconds = 300)
{
    internal long KeepAliveUs { get; } = (long)(KeepAliveSeconds * 1e6);
}
