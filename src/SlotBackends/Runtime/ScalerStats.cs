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
    BudgetStats? Budget,
    IReadOnlyList<FunctionStats> Functions);

/// <summary>Requests since the start.</summary>
public sealed record RequestStats(long Assigns, long Warm, long Waited, long Cold, long Rejected, long Releases, long UnknownReleases, int Waiting);

/// <summary>Slots now, and backend calls since the start.</summary>
public sealed record SlotStats(int Busy, int Idle, int InFlight, int Total, long Creates, long Destroys, long BackendFailures);

/// <summary>What a platform that rations its calls still grants; null for one that does not.</summary>
public sealed record BudgetStats(double CreatesLeft, double CreatesPerSecond, double CreatePriceSeconds, int HeldCreates, int HeldDestroys, long Throttled);

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
    /// <summary>The state now.</summary>
    public ScalerStats GetStats()
    {
        lock (_gate)
        {
            var pools = _core.Pools.ToList();
            var score = _core.Ledger.ScoreAt(NowUs);
            return new ScalerStats(
                Policy.Name,
                _backend.Name,
                NowUs / 1e6,
                new RequestStats(
                    _counters.Assigns,
                    _counters.Warm,
                    _counters.Waited,
                    _counters.Cold,
                    _counters.Rejected,
                    _counters.Releases,
                    _counters.UnknownReleases,
                    pools.Sum(p => p.WaiterCount)),
                new SlotStats(
                    pools.Sum(p => p.BusyCount),
                    pools.Sum(p => p.IdleCount),
                    pools.Sum(p => p.InFlightCount),
                    _core.SlotCount,
                    _counters.Creates,
                    _counters.Destroys,
                    _counters.BackendFailures),
                new ScoreStats(score.Total, score.ResourceScore, score.LatencyScore, score.ExecutionGbSeconds, score.SlotGbSeconds),
                DescribeBudget(),
                [.. pools.Select(Describe)]);
        }
    }

    /// <summary>Every slot in the inventory, with the function it belongs to; the key is empty for those nobody owns.</summary>
    public IReadOnlyList<(MetaKey Function, SlotSnapshot Slot)> GetInventory()
    {
        lock (_gate)
        {
            return [.. _core.Inventory];
        }
    }

    private BudgetStats? DescribeBudget()
    {
        if (_held is null)
        {
            return null;
        }

        var creates = _backend.Budget!.Creates;
        return new BudgetStats(Math.Min(creates.Remaining, int.MaxValue), Math.Min(creates.PerSecond, int.MaxValue), creates.PriceSeconds(_held.Creates), _held.Creates, _held.Destroys, _counters.Throttled);
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

    private sealed class Counters
    {
        public long Assigns { get; set; }

        public long Warm { get; private set; }

        public long Waited { get; private set; }

        public long Cold { get; private set; }

        public long Rejected { get; set; }

        public long Releases { get; set; }

        public long UnknownReleases { get; set; }

        public long Creates { get; set; }

        public long Destroys { get; set; }

        public long BackendFailures { get; set; }

        /// <summary>Calls that the platform has sent back for now.</summary>
        public long Throttled { get; set; }

        public void Granted(GrantKind kind)
        {
            switch (kind)
            {
                case GrantKind.Waited:
                    Waited++;
                    break;
                case GrantKind.Cold:
                    Cold++;
                    break;
                case GrantKind.Warm:
                default:
                    Warm++;
                    break;
            }
        }
    }
}
