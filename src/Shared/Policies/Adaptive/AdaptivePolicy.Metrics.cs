namespace FuncScaler.Policies.Adaptive;

/// <content>What operators see.</content>
public sealed partial class AdaptivePolicy : IPolicyMetrics
{
    /// <inheritdoc />
    public double? PredictArrivalsPerSecond(in PoolView pool) =>
        _coldUs > 0 ? _live.Rates.Recent(pool.NowUs, _coldUs) / (_coldUs / 1e6) : null;

    /// <inheritdoc />
    public double? PriceGbsPerSecond(in PoolView pool) => Price(pool);
}
