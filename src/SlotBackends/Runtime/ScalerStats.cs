using FuncScaler.Statistics;

namespace FuncScaler.SlotBackends.Runtime;

/// <summary>A scaler's state, as <c>GET /api/stats</c> shows it.</summary>
public sealed record ScalerStats(
    string Policy,
    string Backend,
    double UptimeSeconds,
    RequestStats Requests,
    SlotStats Slots,
    ScoreStats Score,
    IReadOnlyList<FunctionStats> Functions);

/// <summary>Requests since the start.</summary>
public sealed record RequestStats(long Assigns, long Warm, long Waited, long Cold, long Rejected, long Releases, long UnknownReleases, int Waiting);

/// <summary>Slots now, and backend calls since the start.</summary>
public sealed record SlotStats(int Busy, int Idle, int InFlight, int Total, long Creates, long Destroys, long BackendFailures);

/// <summary>The contest's score as this scaler sees it: without the time that callers spend on the wire.</summary>
public sealed record ScoreStats(double Score, double ResourceScore, double LatencyScore, double ExecutionGbSeconds, double SlotGbSeconds);

/// <summary>One function.</summary>
public sealed record FunctionStats(
    string Key,
    int MemoryMb,
    long Arrivals,
    int Busy,
    int Idle,
    int InFlight,
    int Waiting,
    double MeanDurationMs,
    double MeanCreateMs,
    double MeanInitMs,
    double? GapP50Ms,
    double? GapP95Ms);

public sealed partial class ScalerRuntime
{
    /// <inheritdoc />
    public override ScalerStats GetStats()
    {
        lock (Gate)
        {
            var pools = _core.Pools.ToList();
            var score = _core.Ledger.ScoreAt(NowUs);
            return new ScalerStats(
                Policy.Name,
                Backend.Name,
                NowUs / 1e6,
                new RequestStats(
                    Counters.Assigns,
                    Counters.Warm,
                    Counters.Waited,
                    Counters.Cold,
                    Counters.Rejected,
                    Counters.Releases,
                    Counters.UnknownReleases,
                    pools.Sum(p => p.WaiterCount)),
                new SlotStats(
                    pools.Sum(p => p.BusyCount),
                    pools.Sum(p => p.IdleCount),
                    pools.Sum(p => p.InFlightCount),
                    _core.SlotCount,
                    Counters.Creates,
                    Counters.Destroys,
                    Counters.BackendFailures),
                new ScoreStats(score.Total, score.ResourceScore, score.LatencyScore, score.ExecutionGbSeconds, score.SlotGbSeconds),
                [.. pools.Select(Describe)]);
        }
    }

    private static FunctionStats Describe(SlotPool pool)
    {
        var gaps = pool.Statistics.GapsOfRank(1);
        return new FunctionStats(
            pool.Function.Key.Value,
            pool.Function.MemoryMb,
            pool.Statistics.Arrivals,
            pool.BusyCount,
            pool.IdleCount,
            pool.InFlightCount,
            pool.WaiterCount,
            pool.Statistics.Duration.MeanUs / 1e3,
            pool.Statistics.Create.MeanUs / 1e3,
            pool.Statistics.Init.MeanUs / 1e3,
            GapMs(0.5),
            GapMs(0.95));

        // The last bin has no upper bound, and JSON no infinity.
        double? GapMs(double share) => gaps is null ? null : Math.Min(gaps.QuantileUs(share), LogHistogram.LowerBoundUs(LogHistogram.BinCount - 1)) / 1e3;
    }
}
