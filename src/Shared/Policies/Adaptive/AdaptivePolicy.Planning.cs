using FuncScaler.Policies.Adaptive.Choosing;
using FuncScaler.Policies.Adaptive.Demand;
using FuncScaler.Policies.Adaptive.Planning;
using FuncScaler.Statistics;

namespace FuncScaler.Policies.Adaptive;

/// <content>Plans: for how long to hold, and when to create again.</content>
public sealed partial class AdaptivePolicy
{
    private RankPlans? Made(int rank) => FunctionStatistics.GroupOf(rank) is var group && group < _plans.Length ? _plans[group] : null;

    private RankPlans PlansOf(int rank, in PoolView pool)
    {
        ref var made = ref FunctionStatistics.OfGroup(ref _plans, FunctionStatistics.GroupOf(rank));
        var plans = made ??= new RankPlans();
        var gaps = pool.Statistics.GapsOfRank(rank);
        var count = gaps?.Count ?? 0;

        // The more is known, the more it takes to change a plan; costs and neighbours change too, so even an old plan is looked at again.
        if (count >= plans.NextCount || pool.NowUs >= plans.NextUs)
        {
            Replan(plans, rank, pool);
            plans.NextCount = (int)Math.Min(int.MaxValue, count + 1 + (count / 8));
            plans.NextUs = pool.NowUs + 60_000_000;
        }

        return plans;
    }

    private void Replan(RankPlans plans, int rank, in PoolView pool)
    {
        var memoryGb = pool.Function.MemoryGb;
        var coldSeconds = ColdUs(pool) / 1e6;
        Span<double> hazards = stackalloc double[LogHistogram.BinCount];
        var informed = Blend(rank, pool, hazards);
        for (var candidate = 0; candidate < plans.Plans.Length; candidate++)
        {
            var createCost = CreateCost(AdaptiveCandidates.Prices[candidate], pool);
            if (rank == 1)
            {
                var firstMiss = FirstMissGbs(candidate, pool);
                plans.Plans[candidate] = informed
                    ? AdaptivePlanner.Plan(hazards, memoryGb, coldSeconds, createCost, firstMiss)
                    : AdaptivePlan.HoldFor(firstMiss / memoryGb * 1e6);
                continue;
            }

            // What a miss costs depends on whether an instance is worth having afterwards, and that on what a miss costs.
            var (waitCost, coldCost) = MissCosts(plans, candidate, rank, pool);
            if (!informed)
            {
                plans.Plans[candidate] = AdaptivePlan.HoldFor(Math.Min(coldCost, waitCost) / memoryGb * 1e6);
                continue;
            }

            double low = 0, high = coldCost;
            for (var i = 0; i < 8; i++)
            {
                var worth = i == 0 ? Math.Min(coldCost, plans.Plans[candidate].WorthGbs) : (low + high) / 2;
                var missCost = Math.Min(coldCost, waitCost + worth);
                plans.Plans[candidate] = AdaptivePlanner.Plan(hazards, memoryGb, coldSeconds, createCost, missCost);
                var change = plans.Plans[candidate].WorthGbs - worth;
                if (Math.Abs(change) < 0.02 * coldCost)
                {
                    break;
                }

                (low, high) = change > 0 ? (worth, high) : (low, worth);
            }
        }
    }

    /// <summary>For each bin the probability that a gap that reaches it ends in it; false when nothing is known.</summary>
    private bool Blend(int rank, in PoolView pool, Span<double> hazards)
    {
        var gaps = pool.Statistics.GapsOfRank(rank);
        var others = _options.PriorWeight <= 0 ? null : _shared.PriorOf(_kin, FunctionStatistics.GroupOf(rank), pool.Function.MemoryMb);
        if (gaps is null && others is null)
        {
            return false;
        }

        AdaptiveHazards.Estimate(gaps, others, FunctionStatistics.RanksOf(FunctionStatistics.GroupOf(rank)).Count, _options.PriorWeight, _options.Tail, hazards);
        return true;
    }

    /// <summary>What a miss of the first rank costs: a creation, and the wait of all who come until it is over, GBs.</summary>
    private double FirstMissGbs(int plan, in PoolView pool)
    {
        var price = AdaptiveCandidates.Prices[plan];
        return CreateCost(price, pool) + (price * Pile * (ColdUs(pool) / 1e6));
    }

    /// <summary>
    /// What a miss of a rank above the first costs, GBs: to wait for one of those before it, each time anew; and to create, with all that is
    /// displaced until the instance is ready.
    /// </summary>
    private (double WaitGbs, double ColdGbs) MissCosts(RankPlans plans, int plan, int rank, in PoolView pool)
    {
        var price = AdaptiveCandidates.Prices[plan];
        var coldSeconds = ColdUs(pool) / 1e6;
        var waitSeconds = WaitSeconds(plans, plan, rank, pool);
        var durationSeconds = Math.Min(DurationUs(pool) / 1e6, coldSeconds);
        var displacedSeconds = plans.Spell.WaitSeconds(Math.Min(waitSeconds, coldSeconds), durationSeconds, _options.PileFactor);
        return (price * waitSeconds, (price * displacedSeconds) + CreateCost(price, pool));
    }

    /// <summary>How long a request of a rank waits for one of those before it, s: as seen under a price's plan, else as durations suggest.</summary>
    private double WaitSeconds(RankPlans plans, int plan, int rank, in PoolView pool) => plans.WaitSeconds[plan] > 0
        ? plans.WaitSeconds[plan]
        : _options.WaitFactor * (pool.Statistics.Durations?.MeanBeyondUs(0) ?? pool.Statistics.Duration.MeanUs) / (rank - 1) / 1e6;

    /// <summary>Plans as they were last made.</summary>
    private readonly struct PlansMade(AdaptivePolicy policy) : AdaptiveShadows.IPlans
    {
        public ref readonly AdaptivePlan Of(int candidate, int rank) =>
            ref (policy.Made(rank) ?? Unplanned).Of(candidate);
    }

    /// <summary>
    /// Plans as they are when a request has arrived, made anew where it is time, and what was expected then. Most plans are asked for in turn for the
    /// same rank, and what is expected only where a candidate has no instance.
    /// </summary>
    private readonly ref struct PlansAt(AdaptivePolicy policy, ref readonly PoolView pool, ref PlansAt.Last last, long arrivedUs) : AdaptiveShadows.IOutlook
    {
        private readonly ref readonly PoolView _pool = ref pool;
        private readonly ref Last _last = ref last;

        public ref readonly AdaptivePlan Of(int candidate, int rank)
        {
            if (_last.Rank != rank)
            {
                (_last.Rank, _last.Plans) = (rank, policy.PlansOf(rank, _pool));
            }

            return ref _last.Plans.Of(candidate);
        }

        public CrowdOutlook Expected() => _last.Outlook ??= policy.Expected(policy._asked, arrivedUs);

        public struct Last
        {
            public int Rank;
            public RankPlans Plans;
            public CrowdOutlook? Outlook;
        }
    }

    private sealed class RankPlans
    {
        private AdaptiveCandidates.OfEachPrice<AdaptivePlan> _plans;
        private AdaptiveCandidates.OfEachPrice<float> _waitSeconds;
        private RankSpell _spell;

        public Span<AdaptivePlan> Plans => _plans;

        /// <summary>Whether they have been made yet.</summary>
        public bool Made => NextCount > 0;

        /// <summary>How long a request of the rank waits that finds no instance, by candidate, s; 0 for not known.</summary>
        public Span<float> WaitSeconds => _waitSeconds;

        /// <summary>What is displaced when the slot is missing.</summary>
        public ref RankSpell Spell => ref _spell;

        /// <summary>From how many gaps on they are made anew; 0 until they are made.</summary>
        public int NextCount { get; set; }

        /// <summary>And from when on, µs.</summary>
        public long NextUs { get; set; }

        /// <summary>The plan that a candidate follows.</summary>
        public ref readonly AdaptivePlan Of(int candidate) => ref Plans[AdaptiveCandidates.PlanOf(candidate)];
    }
}
