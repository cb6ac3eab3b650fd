using FuncScaler.Learned;
using FuncScaler.Policies.Adaptive.Choosing;
using FuncScaler.Policies.Adaptive.Demand;
using FuncScaler.Statistics;

namespace FuncScaler.Policies.Adaptive.Planning;

/// <summary>
/// One function's plans: for each group of ranks and each price, how long to hold an instance and when to create it again.
/// </summary>
internal sealed class FunctionPlans(AdaptivePolicyOptions options, AdaptiveShared shared, FunctionDemand demand, FunctionMeta function)
{
    private const long AgeUs = 60_000_000;

    /// <summary>
    /// How old plans of the first rank become while it has no gap of its own, µs: all that is known then are the gaps of others, which grow.
    /// </summary>
    private const long AgeWithoutGapsUs = 1_000_000;

    /// <summary>With so many functions a run may have begun with a burst of them all.</summary>
    private const int FewFunctions = 20;

    /// <summary>The most rounds in which the worth of an instance is narrowed down.</summary>
    private const int Rounds = 8;

    private RankPlans?[] _groups = new RankPlans?[2];

    /// <summary>The gaps of similar functions. Plans are made from them while the function has few gaps of its own.</summary>
    public HazardHistogram Similar { get; } = shared.Gaps.SimilarTo(function);

    /// <summary>The number of rank groups that may have plans.</summary>
    public int GroupCount => _groups.Length;

    /// <summary>The plans of a group that were made last; null for none.</summary>
    public RankPlans? MadeForGroup(int group) => group < _groups.Length ? _groups[group] : null;

    /// <summary>The plans of a rank that were made last; null for none.</summary>
    public RankPlans? Made(int rank) => MadeForGroup(FunctionStatistics.GroupOf(rank));

    /// <summary>The plans of a rank. They are made anew if that is due.</summary>
    public RankPlans For(int rank, in PoolView pool)
    {
        ref var made = ref FunctionStatistics.OfGroup(ref _groups, FunctionStatistics.GroupOf(rank));
        var plans = made ??= new RankPlans();
        var count = pool.Statistics.GapsOfRank(rank)?.Count ?? 0;

        // The more gaps are known, the more new ones it takes to change a plan. Costs change too, so old plans are made anew as well.
        if (count >= plans.NextCount || pool.NowUs >= plans.NextUs || (plans.MadeUnseen && pool.Statistics.Duration.Count > 0 && IsPrompt(rank, pool)))
        {
            Make(plans, rank, pool);
            plans.MadeUnseen = pool.Statistics.Duration.Count == 0;
            plans.NextCount = (int)Math.Min(int.MaxValue, count + 1 + (count / 8));
            plans.NextUs = pool.NowUs + (count == 0 && rank == 1 && IsPrompt(rank, pool) ? AgeWithoutGapsUs : AgeUs);
        }

        return plans;
    }

    /// <summary>
    /// What creating an instance costs until it is ready, GB·s: its memory, its share of the backend's rationed calls, and what each creation is said
    /// to cost.
    /// </summary>
    public double CreateGbs(double priceGbs, in PoolView pool) =>
        (pool.Function.MemoryGb * (FunctionTimes.ColdStartUs(pool, shared) / 1e6)) + (priceGbs * pool.CreatePriceSeconds) + options.CreateGbs;

    /// <summary>What a miss of a rank costs under a price's plan, GB·s.</summary>
    public double MissGbs(int rank, int price, in PoolView pool)
    {
        if (rank > 1 && Made(rank) is { } plans)
        {
            var (waitGbs, coldGbs) = FurtherMissGbs(plans, price, rank, pool);
            return Math.Min(coldGbs, waitGbs + plans.Plans[price].WorthGbs);
        }

        return FirstMissGbs(price, pool);
    }

    /// <summary>
    /// For each bin of <see cref="LogHistogram"/> the probability that a gap which reaches it ends in it; false when nothing is known.
    /// </summary>
    public bool TryEstimateHazards(int rank, in PoolView pool, Span<double> hazards)
    {
        var gaps = pool.Statistics.GapsOfRank(rank);
        var group = FunctionStatistics.GroupOf(rank);
        var others = options.PriorWeight <= 0 ? null : shared.Gaps.PriorOf(Similar, group, pool.Function.MemoryMb);
        if (gaps is null && others is null)
        {
            return false;
        }

        GapHazards.Estimate(gaps, others, FunctionStatistics.RanksOf(group).Count, options.PriorWeight, options.Tail, hazards);
        return true;
    }

    public void Write(LearnedWriter writer, int mostBytes) => LearnedGroups.Write(writer, _groups, mostBytes, static (plans, to) => plans.Write(to));

    /// <summary>Makes all plans for which something was read.</summary>
    public void MakeRead(in PoolView pool)
    {
        for (var group = 0; group < _groups.Length; group++)
        {
            if (_groups[group] is { Made: false })
            {
                For(FunctionStatistics.RanksOf(group).First, pool);
            }
        }
    }

    public void Read(LearnedReader reader) => LearnedGroups.Read(reader, ref _groups, static (plans, from) => plans.Read(from));

    /// <summary>
    /// Whether plans follow at once what is learned before the rank has a gap: how long executions and cold starts take, and the gaps of others.
    /// </summary>
    /// <remarks>
    /// Where the price follows from the contest's score, only the first ranks do, while functions are few. After a burst of many functions at a
    /// run's beginning nothing may follow, and what is held then costs more of the score than a second burst would bring (docs/experiments.md).
    /// </remarks>
    private bool IsPrompt(int rank, in PoolView pool) =>
        (options.PriceGbs ?? pool.LatencyPriceGbs) is not null || pool.Slo is not null || shared.Objective is not null || (rank == 1 && shared.Functions < FewFunctions);

    private void Make(RankPlans plans, int rank, in PoolView pool)
    {
        var memoryGb = pool.Function.MemoryGb;
        var coldSeconds = FunctionTimes.ColdStartUs(pool, shared) / 1e6;
        Span<double> hazards = stackalloc double[LogHistogram.BinCount];
        var known = TryEstimateHazards(rank, pool, hazards);

        // By the law for gaps that are not known, the chance that one ends within the next second is the exponent divided by its length so far.
        // So it is worth holding until the length is the exponent times what a miss costs, in seconds of holding.
        var unknown = pool.Statistics.Duration.Count > 0 && IsPrompt(rank, pool) ? Math.Min(1, options.Tail) : 1;
        for (var price = 0; price < plans.Plans.Length; price++)
        {
            var createGbs = CreateGbs(Candidates.Prices[price], pool);
            if (rank == 1)
            {
                var missGbs = FirstMissGbs(price, pool);
                plans.Plans[price] = known
                    ? KeepAlivePlanner.Plan(hazards, memoryGb, coldSeconds, createGbs, missGbs)
                    : KeepAlivePlan.HoldFor(unknown * missGbs / memoryGb * 1e6);
                continue;
            }

            var (waitGbs, coldGbs) = FurtherMissGbs(plans, price, rank, pool);
            if (!known)
            {
                plans.Plans[price] = KeepAlivePlan.HoldFor(unknown * Math.Min(coldGbs, waitGbs) / memoryGb * 1e6);
                continue;
            }

            // The cost of a miss depends on the worth of an instance afterwards, and this worth depends on the cost of a miss. So the worth
            // is searched for: each round halves the interval that it lies in.
            double low = 0, high = coldGbs;
            for (var round = 0; round < Rounds; round++)
            {
                var worthGbs = round == 0 ? Math.Min(coldGbs, plans.Plans[price].WorthGbs) : (low + high) / 2;
                var missGbs = Math.Min(coldGbs, waitGbs + worthGbs);
                plans.Plans[price] = KeepAlivePlanner.Plan(hazards, memoryGb, coldSeconds, createGbs, missGbs);
                var change = plans.Plans[price].WorthGbs - worthGbs;
                if (Math.Abs(change) < 0.02 * coldGbs)
                {
                    break;
                }

                (low, high) = change > 0 ? (worthGbs, high) : (low, worthGbs);
            }
        }
    }

    /// <summary>What a miss of the first rank costs: a creation, and the wait of all requests that arrive until it is over, GB·s.</summary>
    private double FirstMissGbs(int price, in PoolView pool)
    {
        var priceGbs = Candidates.Prices[price];
        return CreateGbs(priceGbs, pool) + (priceGbs * demand.Pile * (FunctionTimes.ColdStartUs(pool, shared) / 1e6));
    }

    /// <summary>
    /// What a miss of rank 2 or higher costs, GB·s, in two ways. Either the request waits for an instance of a lower rank, and so does each
    /// later request that misses. Or an instance is created, and all executions that are displaced until it is ready wait.
    /// </summary>
    private (double WaitGbs, double ColdGbs) FurtherMissGbs(RankPlans plans, int price, int rank, in PoolView pool)
    {
        var priceGbs = Candidates.Prices[price];
        var coldSeconds = FunctionTimes.ColdStartUs(pool, shared) / 1e6;
        var waitSeconds = WaitSeconds(plans, price, rank, pool);
        var durationSeconds = Math.Min(FunctionTimes.ExecutionUs(pool, shared) / 1e6, coldSeconds);
        var displacedSeconds = plans.Displaced.WaitSeconds(Math.Min(waitSeconds, coldSeconds), durationSeconds, options.PileFactor);
        return (priceGbs * waitSeconds, (priceGbs * displacedSeconds) + CreateGbs(priceGbs, pool));
    }

    /// <summary>
    /// How long a request of a rank waits for an instance of a lower rank, s: as seen in pretended pools, else estimated from durations.
    /// </summary>
    private double WaitSeconds(RankPlans plans, int price, int rank, in PoolView pool) => plans.WaitSeconds[price] > 0
        ? plans.WaitSeconds[price]
        : options.WaitFactor * (pool.Statistics.Durations?.MeanBeyondUs(0) ?? pool.Statistics.Duration.MeanUs) / ((rank - 1) * pool.Places) / 1e6;
}
