using FuncScaler.Statistics;

namespace FuncScaler.Policies;

/// <summary>
/// Weighs memory held against callers' waiting, per function and slot rank, from what it has learned, and knows nothing in advance
/// (docs/adaptive.md, which also says what it does not do well yet).
/// </summary>
public sealed class AdaptivePolicy : IKeepAlivePolicy
{
    private const int MaxLooked = 128;
    private const int MaxCreates = 64;
    private const double DefaultColdUs = 500_000;
    private const double UnknownDurationUs = 1000;

    private static readonly AdaptivePlan[] Holds = [.. AdaptiveCandidates.HoldSeconds.Select(s => AdaptivePlan.HoldFor(s * 1e6) with { WorthGbs = float.MaxValue })];

    private static readonly RankPlans Unplanned = new();

    private readonly AdaptivePolicyOptions _options;
    private readonly AdaptiveState _shared;
    private readonly PeriodTracker _period = new();
    private readonly RankPlans?[] _plans = new RankPlans?[FunctionStatistics.GroupCount];
    private long _prewarmedForUs = long.MinValue;
    private readonly AdaptiveShadows _shadows = new();
    private readonly byte[] _followed = [.. AdaptivePrices.Ladder.Select(p => (byte)AdaptiveCandidates.Nearest(p))];
    private int _compared;
    private long _waitReviewUs;
    private long _coldUs;
    private double _memoryGb;
    private long _agedUs;
    private long _pileSinceUs = long.MinValue;
    private double _pileNow;
    private double _pile = 1;

    internal AdaptivePolicy(AdaptivePolicyOptions options, AdaptiveState shared)
    {
        _options = options;
        _shared = shared;
        shared.Policies.Add(this);
    }

    public bool HasStandby => true;

    public void RequestArrived(in PoolView pool)
    {
        if (pool.Statistics.Active == 1)
        {
            _period.Arrived(pool.NowUs, (long)Math.Max(200_000, 2 * ColdUs(pool)));
        }
    }

    public void DemandLearned(in PoolView pool, in Demand demand)
    {
        CountPile(pool, demand);
        if (demand.GapUs >= 0)
        {
            _shared.Gap(FunctionStatistics.GroupOf(demand.Rank), pool.Function.MemoryMb, demand.GapUs, demand.ArrivedUs);
        }

        Compare(pool, demand);
    }

    /// <summary>Enters what candidates' instances cost that are held in vain; called in turn, since nothing may ever happen to this function.</summary>
    internal void Settle(long nowUs)
    {
        var plans = new PlansMade(this);
        for (var i = 0; i < AdaptiveCandidates.Count; i++)
        {
            _shadows.Settle(i, nowUs, _coldUs, _memoryGb, plans);
        }

        EnterPrices();
    }

    private void EnterPrices()
    {
        for (var rung = 0; rung < AdaptivePrices.Ladder.Length; rung++)
        {
            var followed = _followed[rung];
            _shared.Prices.Enter(rung, _shadows.LastSlotGbSeconds[followed], _shadows.LastWaitSeconds[followed]);
        }
    }

    /// <summary>Applies an arrival to the candidates, and chooses anew among them now and then.</summary>
    private void Compare(in PoolView pool, in Demand demand)
    {
        var memoryGb = pool.Function.MemoryGb;
        var coldUs = (long)ColdUs(pool);
        (_coldUs, _memoryGb) = (coldUs, memoryGb);
        _shared.SettleNext(demand.ArrivedUs);
        var durationUs = pool.Statistics.LastDurationUs > 0 ? pool.Statistics.LastDurationUs : (long)UnknownDurationUs;
        var plans = new PlansAt(this, pool);
        for (var i = 0; i < AdaptiveCandidates.Count; i++)
        {
            if (_shadows.Arrive(i, demand.ArrivedUs, durationUs, coldUs, memoryGb, AdaptiveCandidates.PriceOf(i), plans) && i < AdaptiveCandidates.Prices.Length)
            {
                ref var wait = ref PlansOf(demand.Rank, pool).WaitSeconds[i];
                var waited = (float)_shadows.LastWaitSeconds[i];
                wait += (waited - wait) * (wait > 0 ? 0.05f : 1);
            }
        }

        if (GivenPrice(pool) is null)
        {
            EnterPrices();
            _shared.Prices.Executed(pool.Statistics.Duration.MeanUs / 1e6, memoryGb);
            _shared.Prices.Review();
        }

        if (++_compared % 8 == 0)
        {
            _shadows.Age(Math.Pow(2, -(demand.ArrivedUs - _agedUs) / _options.MemoryUs));
            _agedUs = demand.ArrivedUs;
            Choose(memoryGb, coldUs / 1e6);
        }
    }

    private void Choose(double memoryGb, double coldSeconds)
    {
        for (var rung = 0; rung < _followed.Length; rung++)
        {
            var price = AdaptivePrices.Ladder[rung];
            int followed = _followed[rung];
            var best = followed;
            var bestCost = _shadows.SlotGbSeconds[followed] + (price * _shadows.WaitSeconds[followed]) - (_options.Evidence * (memoryGb + price) * coldSeconds);
            for (var i = 0; i < AdaptiveCandidates.Count; i++)
            {
                var cost = _shadows.SlotGbSeconds[i] + (price * _shadows.WaitSeconds[i]);
                if (cost < bestCost)
                {
                    (best, bestCost) = (i, cost);
                }
            }

            _followed[rung] = (byte)best;
        }
    }

    /// <summary>
    /// How many waits a cold start after a gap amounts to: arrivals while it lasts wait for the rest of it. Measured whether there was a
    /// cold start or not.
    /// </summary>
    private void CountPile(in PoolView pool, in Demand demand)
    {
        var coldUs = ColdUs(pool);
        if (_pileSinceUs != long.MinValue)
        {
            var age = demand.ArrivedUs - _pileSinceUs;
            if (age < coldUs)
            {
                // Those of higher ranks would wait for others all the same.
                _pileNow += demand.Rank == 1 ? 1 - (age / coldUs) : 0;
                return;
            }

            _pile += 0.2 * (_pileNow - _pile);
            _pileSinceUs = long.MinValue;
        }

        if (demand.Rank == 1 && (demand.GapUs < 0 || demand.GapUs > coldUs))
        {
            _pileSinceUs = demand.ArrivedUs;
            _pileNow = 1;
        }
    }

    /// <summary>The candidate followed now.</summary>
    private int Followed(in PoolView pool) => _options.Candidate >= 0 ? _options.Candidate : _followed[Rung(pool)];

    private ref readonly AdaptivePlan PlanOf(int rank, scoped in PoolView pool) => ref PlanOf(Followed(pool), rank, pool);

    private ref readonly AdaptivePlan PlanOf(int candidate, int rank, scoped in PoolView pool)
    {
        if (candidate < AdaptiveCandidates.Prices.Length)
        {
            return ref PlansOf(rank, pool).Plans[candidate];
        }

        return ref Holds[candidate - AdaptiveCandidates.Prices.Length];
    }

    public int CreateOnMiss(in PoolView pool)
    {
        var create = WantedForWaiters(pool, newest: true, out var waitUs);
        _waitReviewUs = waitUs < 1e12 ? pool.NowUs + (long)Math.Max(1000, waitUs) : long.MaxValue;
        return create;
    }

    public long KeepUntilUs(in PoolView pool, in IdleSlot slot)
    {
        var nowUs = pool.NowUs;
        var gapStartUs = pool.Statistics.FreedAtUs(slot.Rank) ?? slot.SinceUs;
        var keepUs = gapStartUs + PlanOf(slot.Rank, pool).KeepUntilUs(nowUs - gapStartUs, 2 * (long)ColdUs(pool));

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

        var readyAgeUs = pool.NowUs + (long)pool.Statistics.Init.MeanUs - gapStartUs.Value;
        return PlanOf(rank, pool).KeepUntilUs(readyAgeUs, (long)ColdUs(pool)) > readyAgeUs;
    }

    public StandbyPlan Standby(in PoolView pool)
    {
        var nowUs = pool.NowUs;
        var create = 0;
        var reviewUs = long.MaxValue;
        if (pool.Waiters > 0)
        {
            // What was decided when they came stands, unless what they wait for is late.
            if (nowUs >= _waitReviewUs || pool.Busy + pool.InFlight == 0)
            {
                create = WantedForWaiters(pool, newest: false, out var waitUs);
                _waitReviewUs = waitUs < 1e12 ? nowUs + (long)Math.Max(1000, waitUs) : long.MaxValue;
            }

            reviewUs = _waitReviewUs;
        }

        if (pool.Waiters == 0)
        {
            create += Prewarm(pool, ref reviewUs);
        }

        return new StandbyPlan(create, reviewUs);
    }

    /// <summary>
    /// Instances to create for requests that nothing under way will serve soon enough: who waits takes in turn what is expected to become
    /// free or ready next, and gets a new one where that is the cheaper.
    /// </summary>
    /// <param name="pool">The pool.</param>
    /// <param name="newest">Whether the last of those who wait has just come: what others will have of a new instance counts once.</param>
    /// <param name="waitUs">How long the decision stands if none is created, µs.</param>
    private int WantedForWaiters(in PoolView pool, bool newest, out double waitUs)
    {
        waitUs = double.MaxValue;
        var coldUs = ColdUs(pool);
        var price = Price(pool);
        var createCost = pool.Function.MemoryGb * coldUs / 1e6;
        var durationUs = DurationUs(pool);
        Span<double> free = stackalloc double[2 * MaxLooked + MaxCreates];

        // Of a large crowd every so many-th is looked at.
        var stride = 1 + ((pool.Busy + pool.InFlight + pool.Waiters) / MaxLooked);
        var servers = Available(pool, coldUs, stride, free);
        free[..servers].Sort();
        var create = 0;
        var waiters = (pool.Waiters + stride - 1) / stride;
        for (var waiter = 0; waiter < waiters; waiter++)
        {
            var wait = servers > 0 ? free[0] : double.MaxValue;
            var late = price * (wait - Math.Min(wait, coldUs)) / 1e6;
            if (waiter == waiters - 1 && newest)
            {
                late += PlanOf(pool.Busy + pool.InFlight + create + 1, pool).WorthGbs;
            }

            if (servers == 0 || (create < MaxCreates && late > createCost))
            {
                create++;
                free[servers] = coldUs;
                Rise(free, servers++);
                wait = free[0];
            }

            waitUs = wait;
            free[0] = wait + durationUs;
            Sink(free[..servers]);
        }

        return newest ? create : create * stride;
    }

    /// <summary>Puts the last of a heap in its place.</summary>
    private static void Rise(Span<double> heap, int at)
    {
        while (at > 0 && heap[(at - 1) / 2] > heap[at])
        {
            (heap[(at - 1) / 2], heap[at]) = (heap[at], heap[(at - 1) / 2]);
            at = (at - 1) / 2;
        }
    }

    /// <summary>Puts the first of a heap in its place.</summary>
    private static void Sink(Span<double> heap)
    {
        var at = 0;
        while ((2 * at) + 1 < heap.Length)
        {
            var child = (2 * at) + 1;
            if (child + 1 < heap.Length && heap[child + 1] < heap[child])
            {
                child++;
            }

            if (heap[at] <= heap[child])
            {
                break;
            }

            (heap[at], heap[child]) = (heap[child], heap[at]);
            at = child;
        }
    }

    /// <summary>When what is busy or in flight is expected to be free, µs from now.</summary>
    private int Available(in PoolView pool, double coldUs, int stride, Span<double> into)
    {
        Span<long> since = stackalloc long[MaxLooked];
        var busy = pool.CopyBusySince(since, stride);
        for (var i = 0; i < busy; i++)
        {
            var age = pool.NowUs - since[i];
            into[i] = pool.Statistics.Durations is { } known ? known.MeanBeyondUs(age) : Math.Max(DurationUs(pool), age);
        }

        var inFlight = pool.CopyInFlightSince(since, stride);
        for (var i = 0; i < inFlight; i++)
        {
            into[busy + i] = Math.Max(1000, coldUs - (pool.NowUs - since[i]));
        }

        return busy + inFlight;
    }

    private double Pile => 1 + (_options.PileFactor * (_pile - 1));

    private static double DurationUs(in PoolView pool) =>
        pool.Statistics.Duration.Count > 0 ? pool.Statistics.Duration.MeanUs : UnknownDurationUs;

    /// <summary>Instances to create before the next request, when there are none.</summary>
    private int Prewarm(in PoolView pool, ref long reviewUs)
    {
        var nowUs = pool.NowUs;
        var coldUs = ColdUs(pool);
        var create = 0;
        if (pool.Busy + pool.Idle + pool.InFlight == 0 && Foretold(nowUs, out var arrivalUs) && arrivalUs != _prewarmedForUs)
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

        // Instances are counted from rank 1; which of them serves which rank does not matter.
        var have = pool.Idle + pool.InFlight;
        var wanted = 0;
        var ranks = Math.Min(pool.Statistics.RanksSeen, pool.Busy + MaxLooked);
        for (var rank = pool.Busy + 1; rank <= ranks; rank++)
        {
            if (pool.Statistics.FreedAtUs(rank) is not { } gapStartUs)
            {
                continue;
            }

            ref readonly var plan = ref PlanOf(rank, pool);
            var age = nowUs - gapStartUs;
            wanted += age < plan.HoldUs ? 1 : 0;
            for (var i = 1; i <= plan.Prewarms; i++)
            {
                var (fromUs, untilUs) = plan.Prewarm(i);
                if (age < fromUs - coldUs)
                {
                    reviewUs = Math.Min(reviewUs, gapStartUs + fromUs - (long)coldUs);
                    break;
                }

                if (age < untilUs)
                {
                    wanted++;
                    if (wanted > have)
                    {
                        have++;
                        create++;
                    }

                    break;
                }
            }
        }

        return create;
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

        for (var candidate = 0; candidate < plans.Plans.Length; candidate++)
        {
            var price = AdaptiveCandidates.Prices[candidate];
            var missCost = (memoryGb + (price * Pile)) * coldSeconds;
            if (rank == 1)
            {
                plans.Plans[candidate] = informed
                    ? AdaptivePlanner.Plan(shares, memoryGb, coldSeconds, missCost)
                    : AdaptivePlan.HoldFor(missCost / memoryGb * 1e6);
                continue;
            }

            // What a miss costs depends on whether an instance is worth having afterwards, and that on what a miss costs.
            var waitSeconds = plans.WaitSeconds[candidate] > 0 ? plans.WaitSeconds[candidate] : WaitOfRank(rank, pool) / 1e6;
            var coldCost = (price * Math.Min(waitSeconds, coldSeconds)) + (memoryGb * coldSeconds);
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
                plans.Plans[candidate] = AdaptivePlanner.Plan(shares, memoryGb, coldSeconds, missCost);
                var change = plans.Plans[candidate].WorthGbs - worth;
                if (Math.Abs(change) < 0.02 * coldCost)
                {
                    break;
                }

                (low, high) = change > 0 ? (worth, high) : (low, worth);
            }
        }
    }

    /// <summary>How long a request of this rank would wait for one of those before it, µs.</summary>
    private double WaitOfRank(int rank, in PoolView pool) =>
        _options.WaitFactor * (pool.Statistics.Durations?.MeanBeyondUs(0) ?? pool.Statistics.Duration.MeanUs) / (rank - 1);

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

    private int Rung(in PoolView pool)
    {
        if (GivenPrice(pool) is not { } price)
        {
            return _shared.Prices.Rung;
        }

        var best = 0;
        for (var i = 1; i < AdaptivePrices.Ladder.Length; i++)
        {
            best = Math.Abs(Math.Log(AdaptivePrices.Ladder[i] / price)) < Math.Abs(Math.Log(AdaptivePrices.Ladder[best] / price)) ? i : best;
        }

        return best;
    }

    private double Price(in PoolView pool)
    {
        var followed = Followed(pool);
        return followed < AdaptiveCandidates.Prices.Length ? AdaptiveCandidates.Prices[followed] : 1e6;
    }

    /// <summary>Plans as they were last made.</summary>
    private readonly struct PlansMade(AdaptivePolicy policy) : AdaptiveShadows.IPlans
    {
        public ref readonly AdaptivePlan Of(int candidate, int rank)
        {
            if (candidate >= AdaptiveCandidates.Prices.Length)
            {
                return ref Holds[candidate - AdaptiveCandidates.Prices.Length];
            }

            return ref (policy._plans[FunctionStatistics.GroupOf(rank)] ?? Unplanned).Plans[candidate];
        }
    }

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

/// <summary>How `adaptive` weighs what it learns (docs/adaptive.md).</summary>
/// <param name="PriceGbs">What a second of waiting is worth, GBs; null for the pool's option, and without one for the contest's score.</param>
/// <param name="WaitFactor">By how much a wait for a busy instance is longer than its mean residual time: others wait behind it.</param>
/// <param name="PriorWeight">How many observations the other functions' gaps count as.</param>
/// <param name="NeverWeight">How many observations "never again" counts as.</param>
/// <param name="QueueFactor">How readily a request waits behind others for a slot in flight; 0 for a slot of its own each time.</param>
/// <param name="PileFactor">How much of the waiting that piles up behind a cold start is charged to it; 0 for only its own.</param>
public sealed record AdaptivePolicyOptions(double? PriceGbs = null, double WaitFactor = 6, double PriorWeight = 2, double NeverWeight = 0.5, double QueueFactor = 1, double PileFactor = 1, double Evidence = 2, double MemoryUs = 1.8e9, int Candidate = -1)
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
            reader.Number("pile", otherwise.PileFactor, 0, 1000),
            reader.Number("evidence", otherwise.Evidence, 0, 1000),
            reader.Number("memory", otherwise.MemoryUs / 1e6, 1, 1e9) * 1e6,
            (int)reader.Number("candidate", otherwise.Candidate, -1, 1000));
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

    public List<AdaptivePolicy> Policies { get; } = [];

    private int _settled;

    public void SettleNext(long nowUs) => Policies[_settled++ % Policies.Count].Settle(nowUs);

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
