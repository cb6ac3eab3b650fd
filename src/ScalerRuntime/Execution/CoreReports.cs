using System.Diagnostics.CodeAnalysis;
using FuncScaler.Policies;
using FuncScaler.Runtime.Telemetry;
using FuncScaler.Statistics;

namespace FuncScaler.Runtime.Execution;

/// <summary>
/// What operators see of a core: statistics, inventory, explanations, the figures of its metrics. Functions are read a few at a time, so
/// that no request waits behind a long list. Totals are therefore of nearly, not exactly, one moment.
/// </summary>
internal sealed class CoreReports(IScalerCore core, CoreExecutor executor, PolicyChoice policy, string backend)
{
    /// <summary>Functions read at a time. At about 1 µs each the lock is held for less than a warm assign's usual wait on the wire.</summary>
    private const int FunctionsAtATime = 64;

    /// <inheritdoc cref="IScaler.GetStats"/>
    public ScalerStats GetStats(StatsPage page)
    {
        var (waiting, busy, idle, inFlight, number) = (0, 0, 0, 0, 0);
        var functions = new List<FunctionStats>();
        EachPool((pool, _) =>
        {
            waiting += pool.WaiterCount;
            busy += pool.BusyCount;
            idle += pool.IdleCount;
            inFlight += pool.InFlightCount;
            if (page.Contains(number++))
            {
                functions.Add(Describe(pool));
            }
        });
        return executor.Look(nowUs =>
        {
            var counters = executor.Counters;
            var score = core.Ledger.ScoreAt(nowUs);
            return new ScalerStats(
                policy.Name,
                backend,
                nowUs / 1e6,
                new RequestStats(
                    counters.Assigns,
                    counters.Warm,
                    counters.Waited,
                    counters.Cold,
                    counters.Rejected,
                    counters.Releases,
                    counters.UnknownReleases,
                    waiting),
                new SlotStats(busy, idle, inFlight, core.SlotCount, counters.Creates, counters.Destroys, counters.BackendFailures),
                new ScoreStats(score.Total, score.ResourceScore, score.LatencyScore, score.ExecutionGbSeconds, score.SlotGbSeconds),
                executor.Calls.DescribeBudget(),
                number,
                functions);
        });
    }

    /// <inheritdoc cref="IScaler.GetInventory"/>
    public IReadOnlyList<(MetaKey Function, SlotSnapshot Slot)> GetInventory() => executor.Look(_ => core.Inventory.ToList());

    /// <inheritdoc cref="IScaler.TryExplain"/>
    public bool TryExplain(MetaKey function, [NotNullWhen(true)] out PolicyExplanation? explanation, [NotNullWhen(false)] out string? whyNot)
    {
        (explanation, whyNot) = executor.Look<(PolicyExplanation?, string?)>(nowUs =>
        {
            if (core.FindPool(function) is not { } pool)
            {
                return (null, $"No request has asked for a function '{function.Value}' yet. /api/stats lists those that were asked for.");
            }

            return pool.Explain(nowUs) is { } known ? (known, null)
                : (null, policy.Explains ? $"The policy '{policy.Name}' does not explain its decisions in pools that are leased." : PolicyCatalog.NotExplained(policy));
        });
        return explanation is not null;
    }

    /// <summary>What the metrics are read from.</summary>
    public RuntimeReading Read()
    {
        var reading = executor.Look(nowUs =>
        {
            var score = core.Ledger.ScoreAt(nowUs);
            return new RuntimeReading
            {
                Counters = executor.Counters.Copy(),
                Budget = executor.Calls.DescribeBudget(),
                SlotGbs = score.SlotGbSeconds,
                ExecutionGbs = score.ExecutionGbSeconds,
            };
        });
        EachPool((pool, nowUs) =>
        {
            reading.Busy += pool.BusyCount;
            reading.Idle += pool.IdleCount;
            reading.InFlight += pool.InFlightCount;
            reading.Waiting += pool.WaiterCount;
            reading.IdleGb += pool.IdleCount * pool.Function.MemoryMb / 1024.0;
            var (arrivals, price) = pool.DescribePolicy(nowUs);
            reading.PredictedPerSecond = arrivals is null ? reading.PredictedPerSecond : (reading.PredictedPerSecond ?? 0) + arrivals;
            reading.PriceGbsPerSecond = price ?? reading.PriceGbsPerSecond;
        });
        return reading;
    }

    private static FunctionStats Describe(SlotPool pool)
    {
        var gaps = pool.Statistics.GapsOfRank(1);
        return new FunctionStats(
            pool.Function.Key.Value,
            pool.Function.MemoryMb,
            pool.Function.Runtime,
            pool.Statistics.Arrivals,
            pool.BusyCount,
            pool.IdleCount,
            pool.InFlightCount,
            pool.WaiterCount,
            pool.Statistics.Duration.MeanUs / 1e3,
            pool.Statistics.Create.MeanUs / 1e3,
            pool.Statistics.Init.MeanUs / 1e3,
            GapMs(0.5),
            GapMs(0.95),
            pool.Failing);

        // The last bin has no upper bound, and JSON no infinity.
        double? GapMs(double share) => gaps is null ? null : Math.Min(gaps.QuantileUs(share), LogHistogram.LowerBoundUs(LogHistogram.BinCount - 1)) / 1e3;
    }

    private void EachPool(Action<SlotPool, long> look)
    {
        foreach (var some in executor.Look(_ => core.Pools.ToList()).Chunk(FunctionsAtATime))
        {
            executor.Look(nowUs =>
            {
                foreach (var pool in some)
                {
                    look(pool, nowUs);
                }

                return 0;
            });
        }
    }
}
