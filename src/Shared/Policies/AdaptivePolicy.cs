using FuncScaler.Statistics;

namespace FuncScaler.Policies;

/// <summary>
/// Weighs memory held against callers' waiting, per function and slot rank, from what it has learned, and knows nothing in advance
/// (docs/adaptive.md, which also says what it does not do well yet).
/// </summary>
public sealed class AdaptivePolicy : IKeepAlivePolicy
{
    private static readonly bool Dbg = Environment.GetEnvironmentVariable("DBGS") is not null;
    private static readonly int Mask = int.Parse(Environment.GetEnvironmentVariable("MASK") ?? "32767");
    private const int MaxLooked = 128;
    private const int MaxCreates = 64;
    private const double LeastReliability = 0.4;
    private const double DefaultColdUs = 500_000;

    private static readonly AdaptivePlan[] Holds = [.. AdaptiveCandidates.HoldSeconds.Select(s => AdaptivePlan.HoldFor(s * 1e6) with { WorthGbs = float.MaxValue })];

    private static readonly RankPlans Unplanned = new();

    private readonly AdaptivePolicyOptions _options;
    private readonly AdaptiveState _shared;
    private readonly PeriodTracker _period = new();
    private readonly RankPlans?[] _plans = new RankPlans?[FunctionStatistics.GroupCount];
    private long _prewarmedForUs = long.MinValue;
    private readonly AdaptiveShadows _shadows = new();
    private readonly byte[] _followed = [.. AdaptivePrices.Ladder.Select(p => (byte)AdaptiveCandidates.Nearest(p))];
    private bool _foretold;
    private int _inVain;
    private long _lastAloneUs;
    private long _settledUs;
    private long _firstUs = long.MaxValue;
    private int _compared;
    private long _waitReviewUs;
    private long _coldUs;
    private double _memoryGb;
    private long _agedUs;
    private long _pileSinceUs = long.MinValue;
    private double _pileNow;
    private double _pile = 1;
    private int _crowdNow;
    private double _crowd = 1;
    private Crowd _live;
    private Crowd _asked;

    internal AdaptivePolicy(AdaptivePolicyOptions options, AdaptiveState shared)
    {
        _options = options;
        _shared = shared;
        shared.Policies.Add(this);
    }

    public bool HasStandby => true;

    public void RequestArrived(in PoolView pool)
    {
        _coldUs = (long)ColdUs(pool);
        _live.Arrived(pool.NowUs, pool.Statistics.Active == 1, _coldUs);
        if (pool.Statistics.Active == 1)
        {
            _inVain = 0;
            _foretold = false;
            if (_period.Reliability > LeastReliability)
            {
                var marginUs = _period.MarginUs;
                var nextUs = _period.NextAfter(_lastAloneUs + marginUs);
                while (nextUs < pool.NowUs - marginUs && _inVain < 8)
                {
                    _inVain++;
                    nextUs = _period.NextAfter(nextUs + 1);
                }

                _foretold = Math.Abs(nextUs - pool.NowUs) <= marginUs;
            }

            _lastAloneUs = pool.NowUs;
            _period.Arrived(pool.NowUs, (long)Math.Max(200_000, 2 * ColdUs(pool)));
        }
    }

    public void DemandLearned(in PoolView pool, in Demand demand)
    {
        CountPile(pool, demand);
        _asked.Arrived(demand.ArrivedUs, demand.Rank == 1, ColdUs(pool));
        if (demand.GapUs >= 0)
        {
            _shared.Gap(FunctionStatistics.GroupOf(demand.Rank), pool.Function.MemoryMb, demand.GapUs, demand.ArrivedUs);
        }

        Compare(pool, demand);
    }

    /// <summary>Enters what candidates' instances cost that are held in vain; called in turn, since nothing may ever happen to this function.</summary>
    internal void Settle(long nowUs)
    {
        if (nowUs - _settledUs < 1_000_000)
        {
            return;
        }

        _settledUs = nowUs;
        var plans = new PlansMade(this);
        for (var i = 0; i < AdaptiveCandidates.Count; i++)
        {
            _shadows.Settle(i, nowUs, _coldUs, _memoryGb, plans);
        }

        // As what comes again.
        EnterPrices(1 + AdaptivePrices.Again);
    }

    private void EnterPrices(double weight)
    {
        for (var rung = 0; rung < AdaptivePrices.Ladder.Length; rung++)
        {
            var followed = _followed[rung];
            _shared.Prices.Enter(rung, _shadows.LastSlotGbSeconds[followed], _shadows.LastWaitSeconds[followed], weight);
        }
    }

    /// <summary>Applies an arrival to the candidates, and chooses anew among them now and then.</summary>
    private void Compare(in PoolView pool, in Demand demand)
    {
        var memoryGb = pool.Function.MemoryGb;
        var coldUs = (long)ColdUs(pool);
        (_coldUs, _memoryGb) = (coldUs, memoryGb);
        if (Dbg) { AdaptiveShadows.All[pool.Function.Key.ToString()] = _shadows; }
        _shared.SettleNext(demand.ArrivedUs);
        var durationUs = Math.Max(1000, pool.Statistics.Duration.Count > 0 ? pool.Statistics.RecentDurationUs(_compared) : (long)_shared.DurationUs);
        var plans = new PlansAt(this, pool);
        var atOnce = demand.ArrivedUs == pool.NowUs;
        var arrival = new Arrival(demand.ArrivedUs, durationUs, coldUs, memoryGb, Expected(_asked, demand.ArrivedUs), atOnce && _foretold, atOnce ? _inVain : 0, coldUs + (2 * _period.MarginUs));
        for (var i = 0; i < AdaptiveCandidates.Count; i++)
        {
            if (_shadows.Arrive(i, arrival, plans) && i < AdaptiveCandidates.Prices.Length)
            {
                ref var wait = ref PlansOf(demand.Rank, pool).WaitSeconds[i];
                var waited = (float)_shadows.LastWaitSeconds[i];
                wait += (waited - wait) * (wait > 0 ? 0.05f : 1);
            }
        }

        if (GivenPrice(pool) is null)
        {
            // What comes again weighs twice: as much again is taken to be still to come, and the first use of a slot comes but once.
            var weight = demand.GapUs >= 0 ? 1 + AdaptivePrices.Again : 1;
            EnterPrices(weight);
            if (pool.Statistics.Duration.Count is > 0 and < 4)
            {
                _shared.Executed(pool.Statistics.RecentDurationUs(0));
            }

            _shared.Prices.Executed(pool.Statistics.Duration.MeanUs / 1e6, memoryGb, weight);
            _shared.Prices.Review(demand.ArrivedUs, _shared.MeanColdUs);
        }

        _firstUs = Math.Min(_firstUs, demand.ArrivedUs);
        if (demand.ArrivedUs - _firstUs < AdaptivePrices.Warmup2 * coldUs)
        {
            _compared++;
            _shadows.Age(0);
        }
        else if (++_compared % 8 == 0)
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
            var bestCost = ((1 - _options.Share) * (_shadows.SlotGbSeconds[followed] + (price * _shadows.WaitSeconds[followed]))) - (_options.Evidence * (memoryGb + price) * coldSeconds);
            for (var i = 0; i < AdaptiveCandidates.Count; i++)
            {
                var cost = _shadows.SlotGbSeconds[i] + (price * _shadows.WaitSeconds[i]);
                if (cost < bestCost && (Mask >> i & 1) == 1)
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
                _crowdNow++;
                _pileNow += demand.Rank == 1 ? 1 - (age / coldUs) : 0;
                return;
            }

            _pile += 0.2 * (_pileNow - _pile);
            _crowd += 0.2 * (_crowdNow - _crowd);
            _pileSinceUs = long.MinValue;
        }

        if (demand.Rank == 1 && (demand.GapUs < 0 || demand.GapUs > coldUs))
        {
            _pileSinceUs = demand.ArrivedUs;
            _pileNow = 1;
            _crowdNow = 1;
        }
    }

    /// <summary>The candidate followed now.</summary>
    private int Followed(in PoolView pool) => _options.Candidate >= 0 ? _options.Candidate : _followed[Rung(pool)];

    private ref readonly AdaptivePlan PlanOf(int rank, scoped in PoolView pool) => ref PlanOf(Followed(pool), rank, pool);

    private ref readonly AdaptivePlan PlanOf(int candidate, int rank, scoped in PoolView pool)
    {
        if (!AdaptiveCandidates.IsPlain(candidate))
        {
            return ref PlansOf(rank, pool).Plans[AdaptiveCandidates.PlanOf(candidate)];
        }

        return ref Holds[candidate - AdaptiveCandidates.FirstPlain];
    }

    public int CreateOnMiss(in PoolView pool)
    {
        _waitReviewUs = pool.NowUs + ReviewAfterUs(pool);
        return WantedForWaiters(pool, newest: true);
    }

    public long KeepUntilUs(in PoolView pool, in IdleSlot slot)
    {
        var nowUs = pool.NowUs;
        var gapStartUs = pool.Statistics.FreedAtUs(slot.Rank) ?? slot.SinceUs;
        var keepUs = gapStartUs + PlanOf(slot.Rank, pool).KeepUntilUs(nowUs - gapStartUs, 2 * (long)ColdUs(pool));

        if (slot.Rank == 1 && AdaptiveCandidates.IsTimed(Followed(pool)) && Foretold(nowUs - _period.MarginUs, out var arrivalUs))
        {
            var untilUs = arrivalUs + _period.MarginUs;
            if (untilUs - nowUs <= ColdUs(pool) + (2 * _period.MarginUs))
            {
                return Math.Max(Math.Max(untilUs, keepUs), nowUs + 1);
            }
        }

        // Asked again when as much time has passed as has already: what is known, and what everything costs, changes while nothing happens.
        Settle(nowUs);
        _shared.SettleNext(nowUs);
        _shared.Prices.Review(nowUs, _shared.MeanColdUs);
        return Math.Min(keepUs, nowUs + Math.Max(500_000, nowUs - gapStartUs));
    }

    private long ReviewAfterUs(in PoolView pool) => (long)Math.Max(1000, Math.Min(ColdUs(pool), DurationUs(pool)));

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
                create = WantedForWaiters(pool, newest: false);
                _waitReviewUs = nowUs + ReviewAfterUs(pool);
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
    /// Instances to create for requests that nothing under way will serve soon enough.
    /// </summary>
    /// <param name="pool">The pool.</param>
    /// <param name="newest">Whether the last of those who wait has just come: what others will have of a new instance counts once.</param>
    private int WantedForWaiters(in PoolView pool, bool newest)
    {
        if (AdaptiveCandidates.IsPlain(Followed(pool)))
        {
            return pool.Waiters > pool.InFlight ? 1 : 0;
        }

        var coldUs = ColdUs(pool);
        var durationUs = DurationUs(pool);
        var starts = StartsWithin(pool, coldUs, durationUs);
        var servers = pool.Busy + pool.InFlight;
        var create = 0;
        while (create < MaxCreates)
        {
            var worth = newest && create == 0 ? PlanOf(servers + create + 1, pool).WorthGbs : 0;
            if ((servers + create > 0 || pool.Waiters == 0)
                && !WorthOneMore(pool.Waiters + Expected(_live, pool.NowUs) - starts - create, servers + create, durationUs, Price(pool), worth, pool.Function.MemoryGb * coldUs / 1e6))
            {
                break;
            }

            create++;
        }

        return create;
    }

    /// <summary>
    /// Whether another server is worth its creation, for requests that could not begin within the time it takes: it begins when that time is
    /// over, and the queue that has then formed is gone the sooner for all who are in it.
    /// </summary>
    internal static bool WorthOneMore(double late, int servers, double durationUs, double price, double worthGbs, double createCostGbs)
    {
        var drainUs = Math.Max(0, late) * durationUs / Math.Max(1, servers);
        var saved = Math.Max(drainUs, drainUs * drainUs / (2 * durationUs)) / 1e6;
        return (price * saved) + worthGbs > createCostGbs;
    }

    /// <summary>How many arrivals are expected within the time of a cold start.</summary>
    private double Expected(in Crowd crowd, long nowUs)
    {
        var recent = crowd.RecentAt(nowUs, _coldUs) - 1;
        var onset = nowUs - crowd.OnsetUs < _coldUs ? _crowd - crowd.SinceOnset : 0;
        return Math.Max(0, Math.Max(recent, onset)) * _options.QueueFactor;
    }

    /// <summary>How many requests what is busy or in flight can begin within a time.</summary>
    private double StartsWithin(in PoolView pool, double timeUs, double durationUs)
    {
        // Of a large crowd every so many-th is looked at.
        Span<long> since = stackalloc long[MaxLooked];
        var stride = 1 + (Math.Max(pool.Busy, pool.InFlight) / MaxLooked);
        var busy = pool.CopyBusySince(since, stride);
        double starts = 0;
        for (var i = 0; i < busy; i++)
        {
            var age = pool.NowUs - since[i];
            var residual = pool.Statistics.Durations is { } known ? known.MeanBeyondUs(age) : Math.Max(durationUs, age);
            starts += (1 - Math.Exp(-timeUs / residual)) * (1 + (Math.Max(0, timeUs - residual) / durationUs));
        }

        var inFlight = pool.CopyInFlightSince(since, stride);
        for (var i = 0; i < inFlight; i++)
        {
            starts += 1 + (Math.Min(timeUs, pool.NowUs - since[i]) / durationUs);
        }

        return starts * stride;
    }

    private double Pile => 1 + (_options.PileFactor * (_pile - 1));

    private double DurationUs(in PoolView pool) =>
        pool.Statistics.Duration.Count > 0 ? Math.Max(1000, pool.Statistics.Duration.MeanUs) : _shared.DurationUs;

    /// <summary>Instances to create before the next request, when there are none.</summary>
    private int Prewarm(in PoolView pool, ref long reviewUs)
    {
        var nowUs = pool.NowUs;
        var coldUs = ColdUs(pool);
        var create = 0;
        if (pool.Busy + pool.Idle + pool.InFlight == 0 && AdaptiveCandidates.IsTimed(Followed(pool)) && Foretold(nowUs, out var arrivalUs) && arrivalUs != _prewarmedForUs)
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
        if (_period.Reliability < LeastReliability)
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

    private double Price(in PoolView pool) => AdaptiveCandidates.PriceOf(Followed(pool));

    /// <summary>How many requests came lately, and since the last onset.</summary>
    private struct Crowd
    {
        private double _recent;
        private long _lastUs;

        public long OnsetUs { get; private set; }

        public int SinceOnset { get; private set; }

        /// <summary>How many came within about a cold start's time, the last included.</summary>
        public readonly double RecentAt(long nowUs, double coldUs) => _recent * Math.Exp(-(nowUs - _lastUs) / coldUs);

        public void Arrived(long nowUs, bool alone, double coldUs)
        {
            if (alone && nowUs - _lastUs > coldUs)
            {
                OnsetUs = nowUs;
                SinceOnset = 0;
            }

            _recent = 1 + RecentAt(nowUs, coldUs);
            _lastUs = nowUs;
            SinceOnset++;
        }
    }

    /// <summary>Plans as they were last made.</summary>
    private readonly struct PlansMade(AdaptivePolicy policy) : AdaptiveShadows.IPlans
    {
        public ref readonly AdaptivePlan Of(int candidate, int rank)
        {
            if (AdaptiveCandidates.IsPlain(candidate))
            {
                return ref Holds[candidate - AdaptiveCandidates.FirstPlain];
            }

            return ref (policy._plans[FunctionStatistics.GroupOf(rank)] ?? Unplanned).Plans[AdaptiveCandidates.PlanOf(candidate)];
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
public sealed record AdaptivePolicyOptions(double? PriceGbs = null, double WaitFactor = 6, double PriorWeight = 2, double NeverWeight = 0.5, double QueueFactor = 1, double PileFactor = 1, double Evidence = 2, double MemoryUs = 1.8e9, int Candidate = -1, double Share = 0.15)
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
            (int)reader.Number("candidate", otherwise.Candidate, -1, 1000),
            reader.Number("share", otherwise.Share, 0, 1));
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

    /// <summary>The geometric mean of execution times over functions, µs.</summary>
    public double DurationUs => Math.Exp(_logDuration / Math.Max(1, _durations)) * (_durations == 0 ? 1e5 : 1);

    private double _logDuration;
    private int _durations;

    public void Executed(long us)
    {
        _logDuration += Math.Log(Math.Max(1000, us));
        _durations++;
    }

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
