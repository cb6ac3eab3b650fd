namespace FuncScaler.Policies;

/// <summary>What a policy can tell operators, if it knows; implemented beside <see cref="IKeepAlivePolicy"/>. Read every few seconds, changes nothing.</summary>
public interface IPolicyMetrics
{
    /// <summary>Requests per second that the policy expects from now on; null as long as it expects nothing in particular.</summary>
    double? PredictArrivalsPerSecond(in PoolView pool);

    /// <summary>What a second of a request's waiting is worth, GB·s of memory time; null as long as the policy puts no price on it.</summary>
    double? PriceGbsPerSecond(in PoolView pool);
}
