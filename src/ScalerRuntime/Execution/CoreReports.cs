using System.Diagnostics.CodeAnalysis;
using FuncScaler.Policies;
using FuncScaler.Runtime.Dashboard;
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

    /// <summary>The pools of one reading of the dashboard; kept, as one for 20,000 functions is made each second.</summary>
    private readonly List<SlotPool> _read = [];

    /// <summary>The policy's name.</summary>
    public string PolicyName => policy.Name;

    /// <inheritdoc cref="IScaler.GetStats"/>
    public ScalerStats GetStats(StatsPage page)
    {
        var (waiting, busy, idle, inFlight, number) = (0, 0, 0, 0, 0);
        var functions = new List<FunctionStats>();
        EachPool((pool, nowUs) =>
        {
            waiting += pool.WaiterCount;
            busy += pool.BusyCount;
            idle += pool.IdleCount;
            inFlight += pool.InFlightCount;
            if (page.Contains(number++))
            {
                functions.Add(Describe(pool, nowUs));
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
            reading.Executing += pool.ExecutingCount;
            reading.IdleGb += pool.IdleCount * pool.Function.MemoryMb / 1024.0;
            var (arrivals, price) = pool.DescribePolicy(nowUs);
            reading.PredictedPerSecond = arrivals is null ? reading.PredictedPerSecond : (reading.PredictedPerSecond ?? 0) + arrivals;
            reading.PriceGbsPerSecond = price ?? reading.PriceGbsPerSecond;
        });
        return reading;
    }

    /// <inheritdoc cref="IDashboardSource.Read"/>
    public DashboardTotals ReadDashboard(FunctionReader function)
    {
        lock (_read)
        {
            var (waiting, busy, idle, inFlight) = (0, 0, 0, 0);
            double? price = null;
            EachPool(
                (pool, nowUs) =>
                {
                    waiting += pool.WaiterCount;
                    busy += pool.BusyCount;
                    idle += pool.IdleCount;
                    inFlight += pool.InFlightCount;

                    // All functions follow one price, as far as they follow any; those that have seen nothing yet may not say.
                    price ??= pool.DescribePolicy(nowUs).PriceGbsPerSecond;
                    var statistics = pool.Statistics;
                    function(new FunctionReading(
                        pool.Function.Key.Value,
                        pool.Function.Runtime,
                        pool.Function.MemoryMb,
                        statistics.Arrivals,
                        pool.BusyCount,
                        pool.IdleCount,
                        pool.InFlightCount,
                        pool.WaiterCount,
                        statistics.Duration.MeanUs / 1e3,
                        (statistics.Create.MeanUs + statistics.Init.MeanUs) / 1e3,
                        pool.Failing)
                    {
                        Executing = pool.ExecutingCount,
                        RequestsPerInstance = pool.Places,
                    });
                },
                _read);
            _read.Clear();
            return executor.Look(nowUs =>
            {
                var c = executor.Counters;
                var score = core.Ledger.ScoreAt(nowUs);
                return new DashboardTotals(
                    nowUs / 1e6,
                    backend,
                    new RequestStats(c.Assigns, c.Warm, c.Waited, c.Cold, c.Rejected, c.Releases, c.UnknownReleases, waiting),
                    new CallStats(c.Creates, c.Destroys, c.BackendFailures, c.Throttled),
                    new DecisionStats(c.CreatesOnMiss, c.CreatesAsked - c.CreatesOnMiss, c.Waits, c.GivenBack),
                    new ScoreStats(score.Total, score.ResourceScore, score.LatencyScore, score.ExecutionGbSeconds, score.SlotGbSeconds),
                    executor.Calls.DescribeBudget(),
                    price,
                    executor.Times.Copy());
            });
        }
    }

    private static FunctionStats Describe(SlotPool pool, long nowUs)
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
            pool.Failing)
        {
            Executing = pool.ExecutingCount,
            RequestsPerInstance = pool.Places,
            MinInstances = pool.Limits.MinInstances,
            MaxInstances = pool.Limits.MaxInstances,
            LimitsCost = pool.LimitsCost(nowUs),
        };

        // The last bin has no upper bound, and JSON no infinity.
        double? GapMs(double share) => gaps is null ? null : Math.Min(gaps.QuantileUs(share), LogHistogram.LowerBoundUs(LogHistogram.BinCount - 1)) / 1e3;
    }

    /// <param name="look">What to do with each pool.</param>
    /// <param name="pools">An empty list to collect the pools in.</param>
    private void EachPool(Action<SlotPool, long> look, List<SlotPool>? pools = null)
    {
        pools ??= [];
        executor.Look(_ =>
        {
            pools.AddRange(core.Pools);
            return 0;
        });
        for (var from = 0; from < pools.Count; from += FunctionsAtATime)
        {
            executor.Look(nowUs =>
            {
                for (var i = from; i < Math.Min(from + FunctionsAtATime, pools.Count); i++)
                {
                    look(pools[i], nowUs);
                }

                return 0;
            });
        }
    }
}
