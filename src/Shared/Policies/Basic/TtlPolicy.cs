namespace FuncScaler.Policies.Basic;

/// <summary>
/// Keeps every idle instance for a fixed time. Source: the contest's template (300 s), OpenWhisk (600 s), AWS Lambda and others.
/// </summary>
public sealed class TtlPolicy(TtlPolicyOptions options) : IKeepAlivePolicy
{
    private readonly long _keepAliveUs = options.KeepAlive.ToUs();

    public KeepDecision Keep(in PoolView pool, in IdleSlot slot) => KeepDecision.HoldUntil(slot.SinceUs + _keepAliveUs);
}

/// <summary>Options of <see cref="TtlPolicy"/>.</summary>
public sealed record TtlPolicyOptions
{
    /// <summary>How long an idle instance is kept, from 0 to a year.</summary>
    /// <value>The default is 300 s, that of the contest's template.</value>
    public TimeSpan KeepAlive { get; init; } = TimeSpan.FromSeconds(300);

    internal TtlPolicyOptions Read(PolicyOptionReader reader) =>
        this with { KeepAlive = reader.Time("keep", KeepAlive, main: true) };
}
