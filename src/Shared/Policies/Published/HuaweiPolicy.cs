using FuncScaler.Policies.Basic;

namespace FuncScaler.Policies.Published;

/// <summary>
/// Keeps an idle instance for a minute: <see cref="TtlPolicy"/> with a default of its own. Source: Joosen et al., "Serverless Cold Starts and
/// Where to Find Them" (EuroSys 2025): the keep-alive of the platform whose traces it publishes.
/// </summary>
/// <remarks>
/// The platform's pools of pods, from which it creates in seconds, belong to its backend. What an instance is kept for is the one rule that
/// the paper states of the scaler.
/// </remarks>
internal static class HuaweiPolicy
{
    /// <summary>Reads how long an idle instance is kept: 60 s unless told otherwise, from 0 to a year.</summary>
    public static TtlPolicyOptions Read(PolicyOptionReader reader) => new() { KeepAlive = reader.Time("keep", TimeSpan.FromSeconds(60), main: true) };
}
