using FuncScaler.Policies.Adaptive.Choosing;
using FuncScaler.Policies.Adaptive.Demand;
using FuncScaler.Policies.Adaptive.Planning;
using FuncScaler.Statistics;

namespace FuncScaler.Policies.Adaptive.Explain;

/// <summary>Says what one function's policy knows, what it plans, and what it decided last. Changes nothing.</summary>
internal sealed class Explainer(
    AdaptivePolicyOptions options, AdaptiveShared shared, FunctionDemand demand, FunctionPlans plans, Choice choice, DecisionLog log)
{
    public PolicyExplanation Explain(in PoolView pool, double coldUs)
    {
        var price = choice.PriceInForceGbs(pool);
        var pools = choice.Pools;
        var candidates = Enumerable.Range(0, Candidates.Count)
            .Select(i => new CandidateExplanation(
                NameOf(i), pools.SlotGbSeconds[i], pools.WaitSeconds[i], pools.SlotGbSeconds[i] + (price * pools.WaitSeconds[i])));
        return new PolicyExplanation(
            pool.Function.Key.Value,
            pool.NowUs / 1e6,
            pool.Function.MemoryMb,
            pool.Statistics.Arrivals,
            coldUs / 1e6,
            demand.Pile,
            new PriceExplanation(price, choice.GivenPriceGbs(pool)) { Objective = choice.Objective?.Explain() },
            NameOf(choice.Followed(pool)),
            [.. candidates],
            ExplainPrices(),
            ExplainRanks(pool),
            ExplainPeriod(pool),
            ExplainDecisions(pool, coldUs));
    }

    private static string NameOf(int candidate) => string.Create(
        System.Globalization.CultureInfo.InvariantCulture,
        $"price {Candidates.PriceOf(candidate)}{(Candidates.IsPeriodic(candidate) ? " + period" : "")}");

    private static double? Known(double gbs) => double.IsFinite(gbs) ? gbs : null;

    /// <summary>
    /// The expected cost of a gap from one age on, GB·s, if an instance is held until another age and the later parts of the plan are
    /// followed after that.
    /// </summary>
    private double ExpectedGbs(
        ReadOnlySpan<double> hazards, long ageUs, long untilUs, in KeepAlivePlan plan, long leadUs, double memoryGb, double missGbs)
    {
        double reach = 1, cost = 0;
        for (var bin = LogHistogram.BinOf(ageUs); bin < hazards.Length; bin++)
        {
            cost += reach * hazards[bin] * CostOf(Math.Max(ageUs, (long)LogHistogram.TypicalUs(bin)), plan, missGbs);
            reach *= 1 - hazards[bin];
        }

        return cost + (reach * CostOf(Math.Max(untilUs, plan.EndUs) + 1, plan, 0));

        double CostOf(long gapUs, in KeepAlivePlan plan, double missGbs)
        {
            if (gapUs <= untilUs)
            {
                return memoryGb * (gapUs - ageUs) / 1e6;
            }

            var live = false;
            plan.Follow(ref live, untilUs, gapUs, leadUs, (long)(options.CreateGbs / memoryGb * 1e6), out var heldUs);
            return (memoryGb * (untilUs - ageUs + heldUs) / 1e6) + (live ? 0 : missGbs);
        }
    }

    /// <summary>What would be followed at each price. The costs are those of the candidate's pretended pool.</summary>
    private AtPriceExplanation[] ExplainPrices()
    {
        var first = plans.MadeForGroup(0) is { Made: true } made ? made : null;
        var prices = new AtPriceExplanation[ContestPrice.Count];
        for (var i = 0; i < prices.Length; i++)
        {
            var price = ContestPrice.Prices[i];
            var followed = choice.FollowedAt(i);
            prices[i] = new AtPriceExplanation(
                price,
                NameOf(followed),
                first is null ? null : Explain(first.Of(followed)),
                choice.Pools.SlotGbSeconds[followed],
                price * choice.Pools.WaitSeconds[followed]);
        }

        return prices;
    }

    private List<RankExplanation> ExplainRanks(in PoolView pool)
    {
        var ranks = new List<RankExplanation>();
        for (var group = 0; group < plans.GroupCount; group++)
        {
            var (first, count) = FunctionStatistics.RanksOf(group);
            var gaps = pool.Statistics.GapsOfRank(first);
            if (gaps is null && plans.MadeForGroup(group) is null)
            {
                continue;
            }

            var bins = new List<GapBin>();
            for (var bin = 0; gaps is not null && bin < LogHistogram.BinCount; bin++)
            {
                if (gaps.Share(bin) is > 0 and var share)
                {
                    bins.Add(new GapBin(bin == LogHistogram.BinCount - 1 ? null : LogHistogram.UpperBoundUs(bin) / 1e3, share));
                }
            }

            ranks.Add(new RankExplanation(
                first,
                first + count - 1,
                gaps?.Count ?? 0,
                Math.Min(gaps?.Count ?? 0, HazardHistogram.Memory),
                shared.Gaps.PriorOf(plans.Similar, group, pool.Function.MemoryMb) is null ? 0 : options.PriorWeight,
                bins,
                plans.MadeForGroup(group) is { Made: true } made ? Explain(made.Of(choice.Followed(pool))) : null));
        }

        return ranks;
    }

    private static PlanExplanation Explain(KeepAlivePlan plan) => new(
        plan.HoldUs / 1e6,
        [.. Enumerable.Range(1, plan.Prewarms).Select(i => new PrewarmWindow(plan.Prewarm(i).FromUs / 1e6, plan.Prewarm(i).UntilUs / 1e6))],
        plan.WorthGbs);

    private PeriodExplanation? ExplainPeriod(in PoolView pool)
    {
        var period = demand.Period;
        if (period.PeriodUs <= 0)
        {
            return null;
        }

        var nextUs = period.NextAfter(pool.NowUs);
        return new PeriodExplanation(
            period.PeriodUs / 1e6,
            period.Reliability,
            period.Coverage,
            period.MarginUs / 1e6,
            nextUs == long.MaxValue ? null : nextUs / 1e6,
            demand.HasPeriod && Candidates.IsPeriodic(choice.Followed(pool)));
    }

    private DecisionExplanation[] ExplainDecisions(in PoolView pool, double coldUs)
    {
        var decisions = new DecisionExplanation[log.Count];
        for (var i = 0; i < decisions.Length; i++)
        {
            decisions[i] = Explain(log[i], pool, coldUs);
        }

        return decisions;
    }

    private DecisionExplanation Explain(in Decision made, in PoolView pool, double coldUs)
    {
        double cost = made.CostGbs, alternative = made.AlternativeGbs;
        if (made.Kind is DecisionKind.Keep or DecisionKind.Release)
        {
            Span<double> hazards = stackalloc double[LogHistogram.BinCount];
            (cost, alternative) = (double.NaN, double.NaN);
            if (plans.TryEstimateHazards(made.Rank, pool, hazards))
            {
                // These costs are calculated now, from what is known now. To calculate them at each decision would take too long.
                var memoryGb = pool.Function.MemoryGb;
                var missGbs = plans.MissGbs(made.Rank, Candidates.PlanOf(made.Candidate), pool);
                var ageUs = made.AtUs - made.GapStartUs;
                var kept = made.Kind == DecisionKind.Keep;
                var untilUs = kept ? made.UntilUs - made.GapStartUs : ageUs + (long)(missGbs / memoryGb * 1e6);
                var plan = plans.Made(made.Rank) is { Made: true } planned ? planned.Of(made.Candidate) : default;
                var keepGbs = ExpectedGbs(hazards, ageUs, untilUs, plan, (long)coldUs, memoryGb, missGbs);
                var releaseGbs = ExpectedGbs(hazards, ageUs, ageUs, plan, (long)coldUs, memoryGb, missGbs);
                (cost, alternative) = kept ? (keepGbs, releaseGbs) : (releaseGbs, keepGbs);
            }
        }

        var (what, otherwise) = made.Kind switch
        {
            DecisionKind.Keep => ("keep", "release"),
            DecisionKind.KeepForPeriod => ("keep for period", "cold start"),
            DecisionKind.Release => ("release", "keep for what a miss costs"),
            DecisionKind.Create => ("create", double.IsFinite(alternative) ? "wait" : ""),
            DecisionKind.Wait => ("wait", "create"),
            DecisionKind.PrewarmByPlan => ("prewarm by plan", ""),
            _ => ("prewarm by period", "cold start"),
        };
        return new DecisionExplanation(
            made.AtUs / 1e6,
            what,
            made.Rank,
            made.Count,
            made.Kind is DecisionKind.Keep or DecisionKind.KeepForPeriod ? made.UntilUs / 1e6 : null,
            Known(cost),
            otherwise,
            Known(alternative))
        {
            Sentence = DecisionWords.Of(made, cost, alternative),
        };
    }
}
