using FuncScaler.Statistics;

namespace FuncScaler.Policies;

/// <content>Plans: for how long to hold, and when to create again.</content>
public sealed partial class AdaptivePolicy
{
    private RankPlans? Made(int rank) => FunctionStatistics.GroupOf(rank) is var group && group < _plans.Length ? _plans[group] : null;

    private RankPlans PlansOf(int rank, in PoolView pool)
    {
        var group = FunctionStatistics.GroupOf(rank);
        if (group >= _plans.Length)
        {
            Array.Resize(ref _plans, Math.Min(2 * (group + 1), FunctionStatistics.GroupCount));
        }

        var plans = _plans[group] ??= new RankPlans();
        var gaps = pool.Statistics.GapsOfRank(rank);
        var count = gaps?.Count ?? 0;

        // The more is known, the more it takes to change a plan; costs and neighbours change too, so even an old plan is looked at again.
        if (!plans.Made || count >= plans.NextCount || pool.NowUs >= plans.NextUs)
        {
            Replan(plans, rank, pool);
            plans.Made = true;
            plans.NextCount = count + 1 + (count / 8);
            plans.NextUs = pool.NowUs + 60_000_000;
        }

        return plans;
    }

    private void Replan(RankPlans plans, int rank, in PoolView pool)
    {
        var memoryGb = pool.Function.MemoryGb;
        var coldSeconds = ColdUs(pool) / 1e6;
        Span<double> shares = stackalloc double[LogHistogram.BinCount];
        var informed = Blend(rank, pool, shares);
        for (var candidate = 0; candidate < plans.Plans.Length; candidate++)
        {
            var price = AdaptiveCandidates.Prices[candidate];
            var createCost = CreateCost(price, pool);
            var missCost = createCost + (price * Pile * coldSeconds);
            if (rank == 1)
            {
                plans.Plans[candidate] = informed
                    ? AdaptivePlanner.Plan(shares, memoryGb, coldSeconds, createCost, missCost)
                    : AdaptivePlan.HoldFor(missCost / memoryGb * 1e6);
                continue;
            }

            // What a miss costs depends on whether an instance is worth having afterwards, and that on what a miss costs.
            var waitSeconds = WaitSeconds(plans, candidate, rank, pool);
            var coldCost = (price * Math.Min(waitSeconds, coldSeconds)) + createCost;
            if (!informed)
            {
                plans.Plans[candidate] = AdaptivePlan.HoldFor(Math.Min(coldCost, price * waitSeconds) / memoryGb * 1e6);
                continue;
            }

            double low = 0, high = coldCost;
            for (var i = 0; i < 8; i++)
            {
                var worth = i == 0 ? Math.Min(coldCost, plans.Plans[candidate].WorthGbs) : (low + high) / 2;
                missCost = Math.Min(coldCost, (price * waitSeconds) + worth);
                plans.Plans[candidate] = AdaptivePlanner.Plan(shares, memoryGb, coldSeconds, createCost, missCost);
                var change = plans.Plans[candidate].WorthGbs - worth;
                if (Math.Abs(change) < 0.02 * coldCost)
                {
                    break;
                }

                (low, high) = change > 0 ? (worth, high) : (low, worth);
            }
        }
    }

    /// <summary>The probability of each length of gap, from the function's own and other functions'; false when nothing is known.</summary>
    private bool Blend(int rank, in PoolView pool, Span<double> shares)
    {
        var gaps = pool.Statistics.GapsOfRank(rank);
        var prior = _shared.PriorOf(FunctionStatistics.GroupOf(rank), pool.Function.MemoryMb);
        var own = gaps?.WeightAt(pool.NowUs) ?? 0;
        if (own <= 0 && prior is null)
        {
            return false;
        }

        var priorWeight = prior is null ? 0 : _options.PriorWeight;
        var total = own + priorWeight + _options.NeverWeight;
        for (var bin = 0; bin < shares.Length; bin++)
        {
            shares[bin] = (((gaps?.Share(bin) ?? 0) * own) + ((prior?.Share(bin) ?? 0) * priorWeight)) / total;
        }

        return true;
    }

    /// <summary>How long a request of a rank waits for one of those before it, s: as seen under a price's plan, else as durations suggest.</summary>
    private double WaitSeconds(RankPlans plans, int plan, int rank, in PoolView pool) => plans.WaitSeconds[plan] > 0
        ? plans.WaitSeconds[plan]
        : _options.WaitFactor * (pool.Statistics.Durations?.MeanBeyondUs(0) ?? pool.Statistics.Duration.MeanUs) / (rank - 1) / 1e6;

    /// <summary>Plans as they were last made.</summary>
    private readonly struct PlansMade(AdaptivePolicy policy) : AdaptiveShadows.IPlans
    {
        public ref readonly AdaptivePlan Of(int candidate, int rank) =>
            ref (policy.Made(rank) ?? Unplanned).Plans[AdaptiveCandidates.PlanOf(candidate)];
    }

    /// <summary>Plans as they are at a moment, made anew where it is time.</summary>
    private readonly struct PlansAt(AdaptivePolicy policy, PoolView pool) : AdaptiveShadows.IPlans
    {
        public ref readonly AdaptivePlan Of(int candidate, int rank) => ref policy.PlanOf(candidate, rank, pool);
    }

    private sealed class RankPlans
    {
        public AdaptivePlan[] Plans { get; } = new AdaptivePlan[AdaptiveCandidates.Prices.Length];

        /// <summary>How long a request of the rank waits that finds no instance, by candidate, s; 0 for not known.</summary>
        public float[] WaitSeconds { get; } = new float[AdaptiveCandidates.Prices.Length];

        public bool Made { get; set; }

        public long NextCount { get; set; }

        public long NextUs { get; set; }
    }
}
