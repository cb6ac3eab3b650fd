using FuncScaler.Statistics;

namespace FuncScaler.Policies;

/// <summary>
/// Weighs memory held against callers' waiting, per function and slot rank, from what it has learned, and knows nothing in advance
/// (docs/adaptive.md, which also says what it does not do well yet).
/// </summary>
public sealed class AdaptivePolicy : IKeepAlivePolicy
{
    private const int MaxLooked = 64;
    private const int MaxCreates = 64;
    private const double DefaultColdUs = 500_000;
    private const double UnknownDurationUs = 1000;

    private readonly AdaptivePolicyOptions _options;
    private readonly AdaptiveState _shared;
    private readonly PeriodTracker _period = new();
    private readonly RankPlans?[] _plans = new RankPlans?[FunctionStatistics.GroupCount];
    private long _prewarmedForUs = long.MinValue;
    private long _gapPlannedUs = long.MinValue;
    private long _pileSinceUs = long.MinValue;
    private double _pileNow;
    private double _pile = 1;

    internal AdaptivePolicy(AdaptivePolicyOptions options, AdaptiveState shared)
    {
        _options = options;
        _shared = shared;
    }

    public bool HasStandby => true;

    public void RequestArrived(in PoolView pool)
    {
        var statistics = pool.Statistics;
        var gapUs = statistics.LastGapUs;
        var rank = statistics.Active;
        if (rank == 1)
        {
            _period.Arrived(pool.NowUs, (long)Math.Max(200_000, 2 * ColdUs(pool)));
        }

        CountPile(pool, rank, gapUs);
        if (gapUs < 0)
        {
            return;
        }

        _shared.Gap(FunctionStatistics.GroupOf(rank), pool.Function.MemoryMb, gapUs, pool.NowUs);
        var plans = PlansOf(rank, pool);
        EnterLedgers(pool, plans, rank, gapUs);
    }

    /// <summary>
    /// How many waits a cold start after a gap amounts to: arrivals while it lasts wait for the rest of it. Measured whether there was a
    /// cold start or not.
    /// </summary>
    private void CountPile(in PoolView pool, int rank, long gapUs)
    {
        var coldUs = ColdUs(pool);
        if (_pileSinceUs != long.MinValue)
        {
            var age = pool.NowUs - _pileSinceUs;
            if (age < coldUs)
            {
                _pileNow += 1 - (age / coldUs);
                return;
            }

            _pile += 0.2 * (_pileNow - _pile);
            _pileSinceUs = long.MinValue;
        }

        if (rank == 1 && (gapUs < 0 || gapUs > coldUs))
        {
            _pileSinceUs = pool.NowUs;
            _pileNow = 1;
        }
    }

    public int CreateOnMiss(in PoolView pool) => WantedForWaiters(pool, out _);

    public long KeepUntilUs(in PoolView pool, in IdleSlot slot)
    {
        var nowUs = pool.NowUs;
        var gapStartUs = pool.Statistics.FreedAtUs(slot.Rank) ?? slot.SinceUs;
        var plan = PlansOf(slot.Rank, pool).Plans[Rung(pool)];
        var keepUs = gapStartUs + plan.HoldUs;
        if (plan.PrewarmAtUs != long.MaxValue && nowUs >= gapStartUs + plan.PrewarmAtUs)
        {
            keepUs = Math.Max(keepUs, gapStartUs + plan.PrewarmUntilUs);
        }

        if (slot.Rank == 1 && Foretold(nowUs - _period.MarginUs, out var arrivalUs))
        {
            var memoryGb = pool.Function.MemoryGb;
            var createCost = memoryGb * ((ColdUs(pool) + (2 * _period.MarginUs)) / 1e6);
            var untilUs = arrivalUs + _period.MarginUs;
            if (memoryGb * ((untilUs - nowUs) / 1e6) <= createCost)
            {
                return Math.Max(untilUs, nowUs + 1);
            }

            // Most of what comes is foretold: between the times there is nothing to hold for.
            if (_period.Coverage > 0.8)
            {
                return nowUs;
            }
        }

        return keepUs;
    }

    public bool KeepSurplus(in PoolView pool)
    {
        var rank = pool.Busy + pool.Idle + 1;
        var gapStartUs = pool.Statistics.FreedAtUs(rank);
        if (gapStartUs is null)
        {
            return true;
        }

        var plan = PlansOf(rank, pool).Plans[Rung(pool)];
        return gapStartUs + plan.HoldUs > pool.NowUs + pool.Statistics.Init.MeanUs;
    }

    public StandbyPlan Standby(in PoolView pool)
    {
        var nowUs = pool.NowUs;
        var create = 0;
        var reviewUs = long.MaxValue;
        if (pool.Waiters > 0)
        {
            create = WantedForWaiters(pool, out var waitUs);
            if (create == 0 && waitUs < ColdUs(pool) * 1e6)
            {
                reviewUs = nowUs + (long)Math.Max(1000, waitUs);
            }
        }

        if (pool.Busy + pool.Idle + pool.InFlight == 0 && pool.Waiters == 0)
        {
            create += Prewarm(pool, ref reviewUs);
        }

        return new StandbyPlan(create, reviewUs);
    }

    /// <summary>Instances to create for requests that nothing under way will serve soon enough.</summary>
    /// <param name="pool">The pool.</param>
    /// <param name="waitUs">How long the decision stands if none is created, µs.</param>
    private int WantedForWaiters(in PoolView pool, out double waitUs)
    {
        waitUs = double.MaxValue;
        var coldUs = ColdUs(pool);
        var price = Price(pool);
        var createCost = pool.Function.MemoryGb * coldUs / 1e6;

        // A slot in flight serves one request, and as many more as may well wait for it at the price of a create.
        var patienceUs = createCost / price * 1e6;
        var perSlot = 1 + (_options.QueueFactor * patienceUs / Math.Max(1000, DurationUs(pool)));
        var unserved = (int)Math.Ceiling(pool.Waiters - (pool.InFlight * perSlot));
        if (unserved <= 0)
        {
            return 0;
        }

        waitUs = 0;
        if (pool.Busy == 0)
        {
            return pool.InFlight == 0 ? Math.Max(1, (int)(unserved / perSlot)) : (int)Math.Ceiling(unserved / perSlot);
        }

        Span<double> residuals = stackalloc double[MaxLooked];
        residuals = residuals[..Residuals(pool, residuals)];
        residuals.Sort();
        var create = 0;
        for (var waiter = 1; waiter <= unserved && create < MaxCreates; waiter++)
        {
            // Who waits for a new one leaves the line for what is released.
            waitUs = _options.WaitFactor * WaitFor(residuals, waiter - create);
            if (price * (waitUs - Math.Min(waitUs, coldUs)) / 1e6 > createCost)
            {
                create++;
            }
        }

        if (create == 0)
        {
            waitUs = Math.Max(1000, waitUs / 2);
        }

        return create;
    }

    /// <summary>The expected time to the n-th release, µs.</summary>
    private static double WaitFor(ReadOnlySpan<double> residuals, int n)
    {
        if (n <= residuals.Length)
        {
            return residuals[n - 1];
        }

        // All are released once, then again in the same order.
        double mean = 0;
        foreach (var residual in residuals)
        {
            mean += residual / residuals.Length;
        }

        return residuals[^1] + (mean * (n - residuals.Length) / residuals.Length);
    }

    private int Residuals(in PoolView pool, Span<double> into)
    {
        Span<long> since = stackalloc long[MaxLooked];
        var count = pool.CopyBusySince(since);
        for (var i = 0; i < count; i++)
        {
            var age = pool.NowUs - since[i];
            into[i] = pool.Statistics.Durations is { } known ? known.MeanBeyondUs(age) : Math.Max(DurationUs(pool), age);
        }

        return count;
    }

    private double Pile => 1 + (_options.PileFactor * (_pile - 1));

    private static double DurationUs(in PoolView pool) =>
        pool.Statistics.Duration.Count > 0 ? pool.Statistics.Duration.MeanUs : UnknownDurationUs;

    /// <summary>Instances to create before the next request, when there are none.</summary>
    private int Prewarm(in PoolView pool, ref long reviewUs)
    {
        var nowUs = pool.NowUs;
        var coldUs = ColdUs(pool);
        if (Foretold(nowUs, out var arrivalUs) && arrivalUs != _prewarmedForUs)
        {
            var memoryGb = pool.Function.MemoryGb;
            var createSeconds = (coldUs + (2 * _period.MarginUs)) / 1e6;
            var saved = _period.Reliability * Price(pool) * coldUs / 1e6;
            var risked = memoryGb * (createSeconds - (_period.Reliability * coldUs / 1e6));
            if (saved > risked)
            {
                var beginUs = arrivalUs - (long)coldUs - _period.MarginUs;
                if (beginUs <= nowUs)
                {
                    _prewarmedForUs = arrivalUs;
                    var together = _period.CountBetween(arrivalUs, arrivalUs + (long)Math.Min(coldUs, pool.Statistics.Duration.MeanUs));
                    return Math.Clamp(together, 1, 16);
                }

                reviewUs = Math.Min(reviewUs, beginUs);
            }
        }

        if (pool.Statistics.FreedAtUs(1) is { } gapStartUs && _gapPlannedUs != gapStartUs)
        {
            var plan = PlansOf(1, pool).Plans[Rung(pool)];
            if (plan.PrewarmAtUs != long.MaxValue)
            {
                if (gapStartUs + plan.PrewarmAtUs <= nowUs)
                {
                    _gapPlannedUs = gapStartUs;
                    return nowUs < gapStartUs + plan.PrewarmUntilUs ? 1 : 0;
                }

                reviewUs = Math.Min(reviewUs, gapStartUs + plan.PrewarmAtUs);
            }
        }

        return 0;
    }

    private bool Foretold(long fromUs, out long arrivalUs)
    {
        arrivalUs = long.MaxValue;
        if (_period.Reliability < 0.6)
        {
            return false;
        }

        arrivalUs = _period.NextAfter(fromUs);
        return arrivalUs != long.MaxValue;
    }

    private RankPlans PlansOf(int rank, in PoolView pool)
    {
        var group = FunctionStatistics.GroupOf(rank);
        var plans = _plans[group] ??= new RankPlans();
        var gaps = pool.Statistics.GapsOfRank(rank);
        var count = gaps?.Count ?? 0;

        // The more is known, the more it takes to change a plan; costs and neighbours change too, so even an old plan is looked at again.
        if (!plans.Made || count >= plans.NextCount || pool.NowUs >= plans.NextUs)
        {
            Replan(plans, rank, group, pool, gaps);
            plans.Made = true;
            plans.NextCount = count + 1 + (count / 8);
            plans.NextUs = pool.NowUs + 60_000_000;
        }

        return plans;
    }

    private void Replan(RankPlans plans, int rank, int group, in PoolView pool, LogHistogram? gaps)
    {
        var memoryGb = pool.Function.MemoryGb;
        var coldSeconds = ColdUs(pool) / 1e6;
        var prior = _shared.PriorOf(group, pool.Function.MemoryMb);
        var own = gaps?.WeightAt(pool.NowUs) ?? 0;
        Span<double> shares = stackalloc double[LogHistogram.BinCount];
        var informed = own > 0 || prior is not null;
        if (informed)
        {
            var priorWeight = prior is null ? 0 : _options.PriorWeight;
            var total = own + priorWeight + _options.NeverWeight;
            for (var bin = 0; bin < shares.Length; bin++)
            {
                shares[bin] = (((gaps?.Share(bin) ?? 0) * own) + ((prior?.Share(bin) ?? 0) * priorWeight)) / total;
            }
        }

        for (var rung = 0; rung < plans.Plans.Length; rung++)
        {
            var price = PriceOf(rung, pool);
            var coldCost = (memoryGb + price) * coldSeconds;
            var missCost = rank == 1 ? (memoryGb + (price * Pile)) * coldSeconds : Math.Min(coldCost, price * WaitOfRank(rank, pool) / 1e6);
            plans.MissCosts[rung] = missCost;
            plans.Plans[rung] = informed
                ? AdaptivePlanner.Plan(shares, memoryGb, coldSeconds, missCost)
                : AdaptivePlan.HoldFor(missCost / memoryGb * 1e6);
        }
    }

    /// <summary>How long a request of this rank would wait for one of those before it, µs.</summary>
    private double WaitOfRank(int rank, in PoolView pool) =>
        _options.WaitFactor * (pool.Statistics.Durations?.MeanBeyondUs(0) ?? pool.Statistics.Duration.MeanUs) / (rank - 1);

    private void EnterLedgers(in PoolView pool, RankPlans plans, int rank, long gapUs)
    {
        if (GivenPrice(pool) is not null)
        {
            return;
        }

        var prices = _shared.Prices;
        var memoryGb = pool.Function.MemoryGb;
        var coldSeconds = ColdUs(pool) / 1e6;
        for (var rung = 0; rung < plans.Plans.Length; rung++)
        {
            var plan = plans.Plans[rung];
            double slot, wait = 0;
            if (gapUs <= plan.HoldUs)
            {
                slot = memoryGb * gapUs / 1e6;
            }
            else if (plan.PrewarmAtUs != long.MaxValue && gapUs > plan.PrewarmAtUs && gapUs <= plan.PrewarmUntilUs)
            {
                slot = memoryGb * (plan.HoldUs + gapUs - plan.PrewarmAtUs) / 1e6;
            }
            else
            {
                slot = memoryGb * plan.HoldUs / 1e6;
                if (plan.PrewarmAtUs != long.MaxValue && gapUs > plan.PrewarmUntilUs)
                {
                    slot += memoryGb * (plan.PrewarmUntilUs - plan.PrewarmAtUs) / 1e6;
                }

                if (rank > 1 && plans.MissCosts[rung] < (memoryGb + AdaptivePrices.Ladder[rung]) * coldSeconds)
                {
                    wait = WaitOfRank(rank, pool) / 1e6;
                }
                else
                {
                    slot += memoryGb * coldSeconds;
                    wait = rank == 1 ? coldSeconds * Pile : coldSeconds;
                }
            }

            prices.Enter(rung, slot, wait);
        }

        prices.Executed(pool.Statistics.Duration.MeanUs / 1e6, memoryGb);
        prices.Review();
    }

    private double ColdUs(in PoolView pool)
    {
        var statistics = pool.Statistics;
        if (statistics.Init.Count > 0)
        {
            _shared.Cold(statistics.ColdStartUs);
            return statistics.ColdStartUs;
        }

        return _shared.MeanColdUs > 0 ? _shared.MeanColdUs : DefaultColdUs;
    }

    private double? GivenPrice(in PoolView pool) => _options.PriceGbs ?? pool.LatencyPriceGbs;

    private int Rung(in PoolView pool) => GivenPrice(pool) is null ? _shared.Prices.Rung : 0;

    private double Price(in PoolView pool) => PriceOf(Rung(pool), pool);

    private double PriceOf(int rung, in PoolView pool) => GivenPrice(pool) ?? AdaptivePrices.Ladder[rung];

    private sealed class RankPlans
    {
        public AdaptivePlan[] Plans { get; } = new AdaptivePlan[AdaptivePrices.Ladder.Length];

        public double[] MissCosts { get; } = new double[AdaptivePrices.Ladder.Length];

        public bool Made { get; set; }

        public long NextCount { get; set; }

        public long NextUs { get; set; }
    }
}

/// <summary>How `adaptive` weighs what it learns (docs/adaptive.md).</summary>
/// <param name="PriceGbs">What a second of waiting is worth, GBs; null for the pool's option, and without one for the contest's score.</param>
/// <param name="WaitFactor">By how much a wait for a busy instance is longer than its mean residual time: others wait behind it.</param>
/// <param name="PriorWeight">How many observations the other functions' gaps count as.</param>
/// <param name="NeverWeight">How many observations "never again" counts as.</param>
/// <param name="QueueFactor">How readily a request waits behind others for a slot in flight; 0 for a slot of its own each time.</param>
/// <param name="PileFactor">How much of the waiting that piles up behind a cold start is charged to it; 0 for only its own.</param>
public sealed record AdaptivePolicyOptions(double? PriceGbs = null, double WaitFactor = 6, double PriorWeight = 2, double NeverWeight = 0.5, double QueueFactor = 1, double PileFactor = 1)
{
    internal static AdaptivePolicyOptions Read(PolicyOptionReader reader)
    {
        var otherwise = new AdaptivePolicyOptions();
        var price = reader.Number("price", -1, -1, 1e6);
        return new AdaptivePolicyOptions(
            price < 0 ? null : price,
            reader.Number("wait", otherwise.WaitFactor, 0, 1000),
            reader.Number("prior", otherwise.PriorWeight, 0, 1000),
            reader.Number("never", otherwise.NeverWeight, 0, 1000),
            reader.Number("queue", otherwise.QueueFactor, 0, 1000),
            reader.Number("pile", otherwise.PileFactor, 0, 1000));
    }
}

/// <summary>What the functions of one scaler tell each other.</summary>
internal sealed class AdaptiveState
{
    private const int FewestGaps = 20;
    private const int MemoryClasses = 16;

    private readonly LogHistogram?[] _gaps = new LogHistogram?[FunctionStatistics.GroupCount * MemoryClasses];
    private readonly LogHistogram?[] _allGaps = new LogHistogram?[FunctionStatistics.GroupCount];
    private readonly RunningTime _cold = new();

    public AdaptivePrices Prices { get; } = new();

    /// <summary>The mean cold start of functions seen, µs; 0 before the first.</summary>
    public double MeanColdUs => _cold.MeanUs;

    public void Cold(double us)
    {
        if (_cold.Count < 1000)
        {
            _cold.Add((long)us);
        }
    }

    public void Gap(int group, int memoryMb, long gapUs, long nowUs)
    {
        (_gaps[(group * MemoryClasses) + ClassOf(memoryMb)] ??= new LogHistogram()).Add(gapUs, nowUs);
        (_allGaps[group] ??= new LogHistogram()).Add(gapUs, nowUs);
    }

    /// <summary>What is known of gaps of this rank in functions of about this memory, else in all; null when too little.</summary>
    public LogHistogram? PriorOf(int group, int memoryMb)
    {
        var near = _gaps[(group * MemoryClasses) + ClassOf(memoryMb)];
        if (near?.Count >= FewestGaps)
        {
            return near;
        }

        return _allGaps[group]?.Count >= FewestGaps ? _allGaps[group] : null;
    }

    private static int ClassOf(int memoryMb) => Math.Clamp(System.Numerics.BitOperations.Log2((uint)memoryMb) - 5, 0, MemoryClasses - 1);
}
