using FuncScaler.Policies.Adaptive.Choosing;
using FuncScaler.Policies.Adaptive.Explain;
using FuncScaler.Policies.Adaptive.Planning;
using FuncScaler.Statistics;

namespace FuncScaler.Policies.Adaptive;

/// <content>Explaining: what is known, what is planned, and what was decided last.</content>
public sealed partial class AdaptivePolicy : IExplainablePolicy
{
    private readonly AdaptiveDecisions _decisions = new();

    /// <inheritdoc/>
    public PolicyExplanation Explain(in PoolView pool)
    {
        var price = AdaptivePrices.Ladder[Rung(pool)];
        var candidates = Enumerable.Range(0, AdaptiveCandidates.Count)
            .Select(i => new CandidateExplanation(
                NameOf(i), _shadows.SlotGbSeconds[i], _shadows.WaitSeconds[i], _shadows.SlotGbSeconds[i] + (price * _shadows.WaitSeconds[i])));
        return new PolicyExplanation(
            _function.Key.Value,
            pool.NowUs / 1e6,
            pool.Function.MemoryMb,
            pool.Statistics.Arrivals,
            ColdUs(pool) / 1e6,
            Pile,
            new PriceExplanation(price, GivenPrice(pool)),
            NameOf(Followed(pool)),
            [.. candidates],
            ExplainRanks(pool),
            ExplainPeriod(pool),
            [
                .. Leaders.Known.OrderByDescending(l => l.Likelihood)
                    .Select(l => new LeaderExplanation(l.Leader._function.Key.Value, l.LeadUs / 1e6, l.Likelihood)),
            ],
            ExplainDecisions(pool));
    }

    private static string NameOf(int candidate) => string.Create(
        System.Globalization.CultureInfo.InvariantCulture,
        $"price {AdaptiveCandidates.PriceOf(candidate)}{(AdaptiveCandidates.IsTimed(candidate) ? " + period" : "")}");

    private static double? Known(double gbs) => double.IsFinite(gbs) ? gbs : null;

    /// <summary>What it costs from an age of the gap on to hold an instance until another age and then none, GBs.</summary>
    private static double ExpectedGbs(ReadOnlySpan<double> hazards, long ageUs, double untilUs, double memoryGb, double missGbs)
    {
        double reach = 1, cost = 0;
        for (var bin = LogHistogram.BinOf(ageUs); bin < hazards.Length; bin++)
        {
            var gapUs = Math.Max(ageUs, LogHistogram.TypicalUs(bin));
            cost += reach * hazards[bin] * ((memoryGb * (Math.Min(gapUs, untilUs) - ageUs) / 1e6) + (gapUs > untilUs ? missGbs : 0));
            reach *= 1 - hazards[bin];
        }

        return cost + (reach * memoryGb * (untilUs - ageUs) / 1e6);
    }

    private List<RankExplanation> ExplainRanks(in PoolView pool)
    {
        var ranks = new List<RankExplanation>();
        for (var group = 0; group < _plans.Length; group++)
        {
            var (first, shared) = FunctionStatistics.RanksOf(group);
            var gaps = pool.Statistics.GapsOfRank(first);
            if (gaps is null && _plans[group] is null)
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
                first + shared - 1,
                gaps?.Count ?? 0,
                Math.Min(gaps?.Count ?? 0, HazardHistogram.Memory),
                _shared.PriorOf(_kin, group, pool.Function.MemoryMb) is null ? 0 : _options.PriorWeight,
                bins,
                _plans[group] is { Made: true } plans ? Explain(plans.Of(Followed(pool))) : null));
        }

        return ranks;
    }

    private static PlanExplanation Explain(AdaptivePlan plan) => new(
        plan.HoldUs / 1e6,
        [.. Enumerable.Range(1, plan.Prewarms).Select(i => new PrewarmWindow(plan.Prewarm(i).FromUs / 1e6, plan.Prewarm(i).UntilUs / 1e6))],
        plan.WorthGbs);

    private PeriodExplanation? ExplainPeriod(in PoolView pool)
    {
        if (_period.PeriodUs <= 0)
        {
            return null;
        }

        var nextUs = _period.NextAfter(pool.NowUs);
        return new PeriodExplanation(
            _period.PeriodUs / 1e6,
            _period.Reliability,
            _period.Coverage,
            _period.MarginUs / 1e6,
            nextUs == long.MaxValue ? null : nextUs / 1e6,
            HasPeriod && AdaptiveCandidates.IsTimed(Followed(pool)));
    }

    private DecisionExplanation[] ExplainDecisions(in PoolView pool)
    {
        var decisions = new DecisionExplanation[_decisions.Count];
        for (var i = 0; i < decisions.Length; i++)
        {
            decisions[i] = Explain(_decisions[i], pool);
        }

        return decisions;
    }

    private DecisionExplanation Explain(in AdaptiveDecision made, in PoolView pool)
    {
        double cost = made.CostGbs, alternative = made.AlternativeGbs;
        if (made.Kind is AdaptiveDecisionKind.Keep or AdaptiveDecisionKind.Release)
        {
            Span<double> hazards = stackalloc double[LogHistogram.BinCount];
            (cost, alternative) = (double.NaN, double.NaN);
            if (Blend(made.Rank, pool, hazards))
            {
                // Worked out now, from what is known now: at the decision it would have to be done for each request.
                var memoryGb = pool.Function.MemoryGb;
                var missGbs = MissGbs(made.Rank, made.Candidate, pool);
                var ageUs = made.AtUs - made.GapStartUs;
                var kept = made.Kind == AdaptiveDecisionKind.Keep;
                var keepGbs = ExpectedGbs(hazards, ageUs, kept ? made.UntilUs - made.GapStartUs : ageUs + (missGbs / memoryGb * 1e6), memoryGb, missGbs);
                var releaseGbs = ExpectedGbs(hazards, ageUs, ageUs, memoryGb, missGbs);
                (cost, alternative) = kept ? (keepGbs, releaseGbs) : (releaseGbs, keepGbs);
            }
        }

        var (what, otherwise) = made.Kind switch
        {
            AdaptiveDecisionKind.Keep => ("keep", "release"),
            AdaptiveDecisionKind.KeepForPeriod => ("keep for period", "cold start"),
            AdaptiveDecisionKind.Release => ("release", "keep for what a miss costs"),
            AdaptiveDecisionKind.Create => ("create", double.IsFinite(alternative) ? "wait" : ""),
            AdaptiveDecisionKind.Wait => ("wait", "create"),
            AdaptiveDecisionKind.PrewarmByPlan => ("prewarm by plan", ""),
            AdaptiveDecisionKind.PrewarmByPeriod => ("prewarm by period", "cold start"),
            _ => ("prewarm by leader", "cold start"),
        };
        return new DecisionExplanation(
            made.AtUs / 1e6,
            what,
            made.Rank,
            made.Count,
            made.Kind is AdaptiveDecisionKind.Keep or AdaptiveDecisionKind.KeepForPeriod ? made.UntilUs / 1e6 : null,
            Known(cost),
            otherwise,
            Known(alternative));
    }

    /// <summary>What a candidate takes a miss of a rank to cost, GBs.</summary>
    private double MissGbs(int rank, int candidate, in PoolView pool)
    {
        var plan = AdaptiveCandidates.PlanOf(candidate);
        if (rank > 1 && Made(rank) is { } plans)
        {
            var (waitGbs, coldGbs) = MissCosts(plans, plan, rank, pool);
            return Math.Min(coldGbs, waitGbs + plans.Plans[plan].WorthGbs);
        }

        return FirstMissGbs(plan, pool);
    }

    private void RecordIdle(in PoolView pool, int rank, long gapStartUs, long untilUs) => _decisions.Add(new AdaptiveDecision
    {
        AtUs = pool.NowUs,
        GapStartUs = gapStartUs,
        UntilUs = untilUs,
        Rank = rank,
        Candidate = (byte)Followed(pool),
        Kind = untilUs > pool.NowUs ? AdaptiveDecisionKind.Keep : AdaptiveDecisionKind.Release,
    });

    /// <summary>Keeping the first instance until a foretold arrival is over.</summary>
    private void RecordKept(in PoolView pool, long gapStartUs, long untilUs) => _decisions.Add(new AdaptiveDecision
    {
        AtUs = pool.NowUs,
        GapStartUs = gapStartUs,
        UntilUs = untilUs,
        CostGbs = (float)(pool.Function.MemoryGb * (untilUs - pool.NowUs) / 1e6),
        AlternativeGbs = (float)ColdStartGbs(pool),
        Rank = 1,
        Candidate = (byte)Followed(pool),
        Kind = AdaptiveDecisionKind.KeepForPeriod,
    });

    private double ColdStartGbs(in PoolView pool) => CreateCost(pool) + (Price(pool) * ColdUs(pool) / 1e6);

    private void Record(in PoolView pool, AdaptiveDecisionKind kind, int count, double costGbs = double.NaN, double alternativeGbs = double.NaN) =>
        _decisions.Add(new AdaptiveDecision
        {
            AtUs = pool.NowUs,
            Count = (short)count,
            CostGbs = (float)costGbs,
            AlternativeGbs = (float)alternativeGbs,
            Candidate = (byte)Followed(pool),
            Kind = kind,
        });
}
