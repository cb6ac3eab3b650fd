namespace FuncScaler.Policies.Published;

/// <summary>
/// Keeps an idle instance for a minute. Source: Joosen et al., "Serverless Cold Starts and Where to Find Them" (EuroSys 2025): the keep-alive
/// of the platform whose traces it publishes.
/// </summary>
/// <remarks>
/// The platform's pools of pods, from which it creates in seconds, belong to its backend. What an instance is kept for is the one rule that
/// the paper states of the scaler.
/// </remarks>
public sealed class HuaweiPolicy(HuaweiPolicyOptions options) : IKeepAlivePolicy
{
    private readonly long _keepAliveUs = options.KeepAlive.ToUs();

    public KeepDecision Keep(in PoolView pool, in IdleSlot slot) => KeepDecision.HoldUntil(slot.SinceUs + _keepAliveUs);
}

/// <summary>Options of <see cref="HuaweiPolicy"/>.</summary>
public sealed record HuaweiPolicyOptions
{
    /// <summary>How long an idle instance is kept, from 0 to a year.</summary>
    /// <value>The default is 60 s, as in the paper.</value>
    public TimeSpan KeepAlive { get; init; } = TimeSpan.FromSeconds(60);

    internal static HuaweiPolicyOptions Read(PolicyOptionReader reader) =>
        new() { KeepAlive = reader.Time("keep", new HuaweiPolicyOptions().KeepAlive, main: true) };
}
