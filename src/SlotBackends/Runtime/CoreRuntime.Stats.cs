using System.Diagnostics.CodeAnalysis;
using FuncScaler.Policies;
using FuncScaler.Scoring;
using FuncScaler.Statistics;

namespace FuncScaler.SlotBackends.Runtime;

public abstract partial class CoreRuntime
{
    /// <summary>How functions are served.</summary>
    public PolicyChoice Policy { get; }

    private protected abstract IEnumerable<SlotPool> Pools { get; }

    private protected abstract ScoreLedger Score { get; }

    /// <summary>Every slot, with the function it belongs to.</summary>
    private protected abstract IEnumerable<(MetaKey Function, SlotSnapshot Slot)> Inventory { get; }

    /// <summary>Slots in whatever state.</summary>
    private protected abstract int SlotCount { get; }

    /// <inheritdoc />
    public ScalerStats GetStats()
    {
        lock (Gate)
        {
            var pools = Pools.ToList();
            var score = Score.ScoreAt(NowUs);
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
                    SlotCount,
                    Counters.Creates,
                    Counters.Destroys,
                    Counters.BackendFailures),
                new ScoreStats(score.Total, score.ResourceScore, score.LatencyScore, score.ExecutionGbSeconds, score.SlotGbSeconds),
                DescribeBudget(),
                [.. pools.Select(Describe)]);
        }
    }

    /// <inheritdoc />
    public IReadOnlyList<(MetaKey Function, SlotSnapshot Slot)> GetInventory()
    {
        lock (Gate)
        {
            return [.. Inventory];
        }
    }

    /// <inheritdoc />
    public bool TryExplain(MetaKey function, [NotNullWhen(true)] out PolicyExplanation? explanation, [NotNullWhen(false)] out string? whyNot)
    {
        lock (Gate)
        {
            var pool = Pools.FirstOrDefault(p => p.Function.Key == function);
            explanation = pool?.Explain(NowUs);
            whyNot = explanation is not null ? null
                : pool is null ? $"No request has asked for a function '{function.Value}' yet. /api/stats lists those that were asked for."
                : Policy.Explains ? $"The policy '{Policy.Name}' does not explain its decisions in pools that are leased."
                : PolicyCatalog.NotExplained(Policy);
        }

        return explanation is not null;
    }

    /// <summary>What the metrics of this runtime are read from, all of one moment.</summary>
    internal RuntimeReading Read()
    {
        lock (Gate)
        {
            var nowUs = NowUs;
            var reading = new RuntimeReading { Counters = Counters.Copy(), Budget = DescribeBudget() };
            foreach (var pool in Pools)
            {
                reading.Busy += pool.BusyCount;
                reading.Idle += pool.IdleCount;
                reading.InFlight += pool.InFlightCount;
                reading.Waiting += pool.WaiterCount;
                reading.IdleGb += pool.IdleCount * pool.Function.MemoryMb / 1024.0;
                var (arrivals, price) = pool.DescribePolicy(nowUs);
                reading.PredictedPerSecond = arrivals is null ? reading.PredictedPerSecond : (reading.PredictedPerSecond ?? 0) + arrivals;
                reading.PriceGbsPerSecond = price ?? reading.PriceGbsPerSecond;
            }

            var score = Score.ScoreAt(nowUs);
            reading.SlotGbs = score.SlotGbSeconds;
            reading.ExecutionGbs = score.ExecutionGbSeconds;
            return reading;
        }
    }

    /// <summary>What the backend's budget has left; null without one.</summary>
    private protected virtual BudgetStats? DescribeBudget() => null;

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
