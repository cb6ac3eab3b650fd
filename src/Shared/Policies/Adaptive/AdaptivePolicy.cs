using FuncScaler.Learned;
using FuncScaler.Policies.Adaptive.Choosing;
using FuncScaler.Policies.Adaptive.Demand;
using FuncScaler.Policies.Adaptive.Explain;
using FuncScaler.Policies.Adaptive.Planning;
using FuncScaler.Statistics;

namespace FuncScaler.Policies.Adaptive;

/// <summary>
/// For each function and each rank, weighs the memory that instances hold against the time that callers wait. It learns from the arrivals
/// it sees and knows nothing in advance (docs/explanation/adaptive.md).
/// </summary>
/// <remarks>
/// This class only connects the parts. <see cref="FunctionDemand"/> says what is expected to arrive. <see cref="FunctionPlans"/> says how
/// long to
/// hold an instance and when to create it again, at each price of waiting. <see cref="Choice"/> says which plan is followed, at which
/// price;
/// for that the real arrivals are applied to <see cref="PretendedPools"/>. <see cref="WaitOrCreate"/> says whether a request waits, in
/// real and in pretended pools. <see cref="Explainer"/> puts all of this into words.
/// </remarks>
public sealed class AdaptivePolicy : ILearningPolicy, IExplainablePolicy, IPolicyMetrics
{
    /// <summary>A function's costs are brought up to date at most this often, µs.</summary>
    private const long SettleEveryUs = 1_000_000;

    /// <summary>A function chooses its candidate anew after every so many arrivals.</summary>
    private const int ChooseEvery = 8;

    /// <summary>The most bytes that the plans take in a learned record.</summary>
    private const int MostPlanBytes = 6000;

    /// <summary>The most instances of each pretended pool that a learned record holds.</summary>
    private const int MostInstancesWritten = 1024;

    private const long NoArrival = long.MinValue;

    private readonly AdaptivePolicyOptions _options;
    private readonly AdaptiveShared _shared;
    private readonly FunctionDemand _demand;
    private readonly FunctionPlans _plans;
    private readonly GapsTold _gaps;
    private readonly Choice _choice;
    private readonly Prewarming _prewarming;
    private readonly DecisionLog _log = new();
    private FunctionMeta _function;
    private FunctionStatistics? _statistics;
    private long _coldUs;
    private long _waitReviewUs;
    private long _settledUs;
    private long _agedUs;
    private long _firstUs = long.MaxValue;
    private int _coldStarts;
    private bool _priceIsGiven;
    private int _learned;
    private long _arrivedUs = NoArrival;
    private bool _arrivedAlone;
    private bool _plansAreRead;

    internal AdaptivePolicy(AdaptivePolicyOptions options, AdaptiveShared shared, FunctionMeta function)
    {
        _options = options;
        _shared = shared;
        _function = function;
        _demand = new FunctionDemand(options, shared);
        _plans = new FunctionPlans(options, shared, _demand, function);
        _gaps = new GapsTold(shared.Gaps, _plans.Similar, function);
        _choice = new Choice(options, shared);
        _prewarming = new Prewarming(_demand, _plans, _choice, _log);
        Place = shared.Join(this);
    }

    public bool HasStandby => true;

    /// <summary>The index of this policy among the policies of its scaler.</summary>
    internal int Place { get; set; }

    public void RequestArrived(in PoolView pool)
    {
        TakeInArrival(pool);
        _arrivedUs = pool.NowUs;
        _arrivedAlone = pool.Statistics.Active == 1;
    }

    public void DemandLearned(in PoolView pool, in RankedArrival demand)
    {
        TakeInArrival(pool);
        if (pool.Statistics.Init.Count > _coldStarts)
        {
            _coldStarts = (int)pool.Statistics.Init.Count;
            _shared.ColdStarted(pool.Statistics.ColdStartUs);
        }

        var coldUs = ColdUs(pool);
        var afterPause = !demand.Joins && (demand.GapUs < 0 || demand.GapUs > coldUs);
        _demand.Learned(demand, afterPause, coldUs);
        _plans.For(demand.Rank, pool).Displaced.Arrived(demand.ArrivedUs, afterPause, coldUs);
        _gaps.Ended(demand, pool.Function.MemoryMb);
        Apply(pool, demand);
    }

    public void Answered(in PoolView pool, long waitedUs) => _choice.Objective?.Answered(waitedUs);

    public int CreateOnMiss(in PoolView pool)
    {
        TakeInArrival(pool);
        _waitReviewUs = pool.NowUs + WaitReviewAfterUs(pool);
        return CreateForWaiting(pool, newest: true);
    }

    public KeepDecision Keep(in PoolView pool, in IdleSlot slot)
    {
        TakeInArrival(pool);
        MakePlansRead(pool);
        var nowUs = pool.NowUs;
        var gapStartUs = pool.Statistics.FreedAtUs(slot.Rank) ?? slot.SinceUs;
        var followed = _choice.Followed(pool);
        var keepUs = gapStartUs + _plans.For(slot.Rank, pool).Of(followed).KeepUntilUs(nowUs - gapStartUs, 2 * (long)ColdUs(pool));

        if (slot.Rank == 1 && Candidates.IsPeriodic(followed) && _demand.TryForetell(nowUs - _demand.Period.MarginUs, out var arrivalUs))
        {
            var untilUs = arrivalUs + _demand.Period.MarginUs;
            if (untilUs - nowUs <= ColdUs(pool) + (2 * _demand.Period.MarginUs))
            {
                keepUs = Math.Max(Math.Max(untilUs, keepUs), nowUs + 1);
                var keepGbs = pool.Function.MemoryGb * (keepUs - nowUs) / 1e6;
                _log.KeptForPeriod(nowUs, gapStartUs, keepUs, keepGbs, CreateGbs(pool) + (_choice.PriceGbs(pool) * ColdUs(pool) / 1e6), followed);
                return KeepDecision.HoldUntil(keepUs);
            }
        }

        // Time alone changes the estimates and the costs. They are brought up to date here, so that instances are given back when load
        // stops.
        Settle(nowUs);
        _shared.SettleNext(nowUs);
        ReviewPrice(pool, nowUs);
        _log.Idle(nowUs, slot.Rank, gapStartUs, keepUs, _choice.Followed(pool));

        // The pool asks again at the latest when the gap is twice as long as now.
        return KeepDecision.HoldUntil(Math.Min(keepUs, nowUs + Math.Max(500_000, nowUs - gapStartUs)));
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
        return _plans.For(rank, pool).Of(_choice.Followed(pool)).KeepUntilUs(readyAgeUs, (long)ColdUs(pool)) > readyAgeUs;
    }

    public StandbyPlan Standby(in PoolView pool)
    {
        TakeInArrival(pool);
        if (pool.Waiters == 0)
        {
            return _prewarming.Decide(pool, ColdUs(pool));
        }

        // Creations were decided when the requests arrived. They are decided again only if the instances that the requests wait for are
        // late.
        var create = 0;
        if (pool.NowUs >= _waitReviewUs || pool.Busy + pool.InFlight == 0)
        {
            create = CreateForWaiting(pool, newest: false);
            _waitReviewUs = pool.NowUs + WaitReviewAfterUs(pool);
        }

        return new StandbyPlan(create, _waitReviewUs);
    }

    public void Forgotten() => _shared.Leave(Place);

    /// <inheritdoc/>
    public PolicyExplanation Explain(in PoolView pool) =>
        new Explainer(_options, _shared, _demand, _plans, _choice, _log).Explain(pool, ColdUs(pool));

    /// <inheritdoc/>
    public double? PredictArrivalsPerSecond(in PoolView pool) => _coldUs > 0 ? _demand.RatePerSecond(pool.NowUs, _coldUs) : null;

    /// <inheritdoc/>
    public double? PriceGbsPerSecond(in PoolView pool) => _choice.PriceInForceGbs(pool);

    /// <inheritdoc/>
    public string LearnedName => "adaptive";

    /// <inheritdoc/>
    public ILearned? SharedLearned => _shared;

    /// <inheritdoc/>
    public ILearned? SloLearned => _choice;

    /// <inheritdoc/>
    public void WriteLearned(LearnedWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.Number(_coldUs);
        writer.Time(_settledUs);
        writer.Time(_agedUs);
        writer.Time(_firstUs == long.MaxValue ? writer.NowUs : _firstUs);
        writer.Whole(_coldStarts);
        writer.Whole(_learned);
        _demand.Write(writer);
        _gaps.Write(writer);
        _choice.Write(writer);
        _plans.Write(writer, MostPlanBytes);
        _choice.Pools.WriteInstances(writer, Math.Min(writer.Detail, MostInstancesWritten));
    }

    /// <inheritdoc/>
    public void ReadLearned(LearnedReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        _coldUs = (long)reader.Number(least: 0);
        _settledUs = reader.Time();
        _agedUs = reader.Time();
        _firstUs = reader.Time();
        _coldStarts = reader.Count(int.MaxValue);
        _learned = reader.Count(int.MaxValue);
        _demand.Read(reader);
        _gaps.Read(reader);
        _choice.Read(reader);
        _plans.Read(reader);
        _plansAreRead = true;
        if (reader.Version >= 2)
        {
            _choice.Pools.ReadInstances(reader, MostInstancesWritten);
        }
    }

    /// <summary>
    /// Brings the costs of the pretended pools up to date and chooses anew. This is called for each function in turn, so that it also
    /// reaches functions that get no more requests.
    /// </summary>
    internal void Settle(long nowUs)
    {
        if (nowUs - _settledUs < SettleEveryUs)
        {
            return;
        }

        _settledUs = nowUs;
        _gaps.TellOpen(_statistics, nowUs, _priceIsGiven ? (long)_shared.MeanColdUs : 0);
        var plans = new PlansMade(_plans);

        // Arrivals whose rank is not known yet are applied later, with the time they came at. Costs after that time must not be entered
        // before them.
        var appliedUs = Math.Min(nowUs, _statistics?.OpenDemandSinceUs ?? nowUs);
        for (var i = 0; i < Candidates.Count; i++)
        {
            _choice.Pools.Settle(i, appliedUs, _coldUs, _function.MemoryGb, plans);
        }

        EnterPrices(arrivals: 0);
        if (!IsNew(nowUs, _coldUs))
        {
            _choice.Choose(_function.MemoryGb, _coldUs / 1e6, _demand.HasPeriod);
        }
    }

    /// <summary>Applies an arrival to the pretended pools, and chooses anew now and then.</summary>
    private void Apply(in PoolView pool, in RankedArrival demand)
    {
        var memoryGb = pool.Function.MemoryGb;
        var coldUs = (long)ColdUs(pool);
        _coldUs = coldUs;
        _shared.SettleNext(demand.ArrivedUs);
        if (pool.Statistics.Duration.Count is > 0 and < 4)
        {
            _shared.Executed(pool.Statistics.RecentDurationUs(0));
        }

        var durationUs = pool.Statistics.Duration.Count > 0
            ? pool.Statistics.RecentDurationUs(_learned)
            : (long)FunctionTimes.ExecutionUs(pool, _shared);
        var atOnce = demand.ArrivedUs == pool.NowUs;
        var arrival = new PretendedArrival(
            demand.ArrivedUs,
            Math.Max(1000, durationUs),
            coldUs,
            memoryGb,
            _plans.CreateGbs(0, pool),
            pool.CreatePriceSeconds,
            atOnce && _demand.WasForetold,
            atOnce ? _demand.InVain : 0,
            coldUs + (2 * _demand.Period.MarginUs),
            pool.Places == 1 ? int.MaxValue : demand.Rank);
        if (_choice.Pools.TakesNext())
        {
            ApplyToPools(pool, demand, arrival);
        }

        if (!_priceIsGiven)
        {
            _shared.ContestPrice.Executed(pool.Statistics.Duration.MeanUs / 1e6, memoryGb);
        }

        ReviewPrice(pool, demand.ArrivedUs);

        _firstUs = Math.Min(_firstUs, demand.ArrivedUs);
        _learned++;
        if (IsNew(demand.ArrivedUs, coldUs))
        {
            _choice.Pools.Age(0);
        }
        else if (_learned % ChooseEvery == 0)
        {
            _choice.Pools.Age(Math.Pow(2, -(demand.ArrivedUs - _agedUs) / (1e6 * _options.Memory.TotalSeconds)));
            _agedUs = demand.ArrivedUs;
            _choice.Choose(memoryGb, coldUs / 1e6, _demand.HasPeriod);
        }
    }

    private void ApplyToPools(in PoolView pool, in RankedArrival demand, in PretendedArrival arrival)
    {
        var pools = _choice.Pools;
        var last = default(Forecast.Last);
        var forecast = new Forecast(_plans, _demand, in pool, ref last, demand.ArrivedUs, arrival.ColdUs);
        for (var i = 0; i < Candidates.Count; i++)
        {
            if (pools.Arrive(i, arrival, forecast) && !Candidates.IsPeriodic(i))
            {
                ref var wait = ref _plans.For(demand.Rank, pool).WaitSeconds[i];
                var waited = (float)(pools.LastWaitSeconds[i] / pools.Scale);
                wait += (waited - wait) * (wait > 0 ? 0.05f : 1);
            }
        }

        EnterPrices(pools.Scale);
        pools.Rescale();
    }

    /// <summary>Enters the last costs into the books of all prices. Where a price is given, no books are needed.</summary>
    private void EnterPrices(int arrivals)
    {
        if (!_priceIsGiven)
        {
            _choice.EnterPrices(arrivals);
        }
    }

    /// <summary>Looks which price is to be in force.</summary>
    private void ReviewPrice(in PoolView pool, long nowUs)
    {
        if (_priceIsGiven)
        {
            return;
        }

        if (_choice.Objective is { } objective)
        {
            objective.Review(nowUs, pool.Ledger);
        }
        else
        {
            _shared.ContestPrice.Review(nowUs, _shared.MeanColdUs, _options);
        }
    }

    /// <summary>Whether the function is so new that its requests find no warm instance under any candidate.</summary>
    private bool IsNew(long nowUs, double coldUs) => nowUs - _firstUs < _options.Warmup / 4 * coldUs;

    /// <summary>Instances to create for requests that wait.</summary>
    /// <param name="pool">The pool.</param>
    /// <param name="newest">
    /// Whether one of the requests has just arrived. Only then does the value of an instance after the queue is gone count.
    /// </param>
    private int CreateForWaiting(in PoolView pool, bool newest)
    {
        var coldUs = ColdUs(pool);
        var durationUs = FunctionTimes.ExecutionUs(pool, _shared);
        var starts = FunctionTimes.StartsWithin(pool, coldUs, durationUs);
        var instances = pool.Busy + pool.InFlight;
        var followed = _choice.Followed(pool);
        var createGbs = CreateGbs(pool);

        // Where requests share instances, a request may have a place in an instance under way. It is then no reason for a further instance.
        var asksForMore = pool.Places == 1 || pool.Executing + pool.Waiters > (long)instances * pool.Places;
        var queue = new WaitOrCreate.Queue(
            instances * pool.Places,
            pool.Places,
            HasWaiting: pool.Waiters > 0,
            Late: pool.Waiters - starts,
            durationUs,
            _choice.PriceGbs(pool),
            createGbs,
            WorthGbs: newest && asksForMore ? _plans.For(instances + 1, pool).Of(followed).WorthGbs : 0);
        var create = WaitOrCreate.Count(queue, _demand.Expected(pool.NowUs, _coldUs), out var waitGbs, pool.Places);
        if (create > 0)
        {
            _log.Add(pool.NowUs, DecisionKind.Create, create, followed, createGbs, waitGbs);
        }
        else if (newest)
        {
            _log.Add(pool.NowUs, DecisionKind.Wait, 0, followed, waitGbs, createGbs);
        }

        return create;
    }

    /// <summary>
    /// Learns of the arrival that <see cref="RequestArrived"/> has noted. A request that finds an idle instance gets it first; what it teaches is
    /// wanted at the next decision at the earliest.
    /// </summary>
    private void TakeInArrival(in PoolView pool)
    {
        // Not only with an arrival: a ledger that was read again is asked what to keep before the next one.
        _choice.Aim(pool.Slo);
        if (_arrivedUs == NoArrival)
        {
            return;
        }

        MakePlansRead(pool);
        _coldUs = (long)ColdUs(pool);
        _function = pool.Function;
        _priceIsGiven = _choice.GivenPriceGbs(pool) is not null;
        _choice.Pools.Concurrency = pool.Places;
        _choice.Pools.CreateUs = (long)(_options.CreateGbs / pool.Function.MemoryGb * 1e6);
        _demand.Arrived(_arrivedUs, _arrivedAlone, _coldUs);
        _arrivedUs = NoArrival;
    }

    /// <summary>
    /// Makes plans from what a former run has learned, at the first event that brings the pool. Pretended pools follow only plans that have
    /// been made.
    /// </summary>
    private void MakePlansRead(in PoolView pool)
    {
        _statistics = pool.Statistics;
        if (_plansAreRead)
        {
            _plansAreRead = false;
            _plans.MakeRead(pool);
        }
    }

    private double ColdUs(in PoolView pool) => FunctionTimes.ColdStartUs(pool, _shared);

    private double CreateGbs(in PoolView pool) => _plans.CreateGbs(_choice.PriceGbs(pool), pool);

    /// <summary>After how long the requests that wait are looked at again, µs.</summary>
    private long WaitReviewAfterUs(in PoolView pool) =>
        (long)Math.Max(1000, Math.Min(ColdUs(pool), FunctionTimes.ExecutionUs(pool, _shared)));
}
