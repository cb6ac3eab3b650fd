using System.Runtime.CompilerServices;
using FuncScaler.Policies.Adaptive.Choosing;
using FuncScaler.Policies.Adaptive.Demand;
using FuncScaler.Policies.Adaptive.Explain;
using FuncScaler.Policies.Adaptive.Planning;
using FuncScaler.Statistics;

namespace FuncScaler.Policies.Adaptive;

/// <summary>
/// Weighs memory held against callers' waiting, per function and slot rank, from what it has learned, and knows nothing in advance
/// (docs/adaptive.md).
/// </summary>
public sealed partial class AdaptivePolicy : IKeepAlivePolicy
{
    private const int MaxLooked = 128;
    private const int MaxCreates = 64;
    private const double LeastReliability = 0.4;
    private const double DefaultColdUs = 500_000;

    /// <summary>How long executions are taken to last before any has ended, in cold starts.</summary>
    private const double UnknownDuration = 0.5;

    /// <summary>How many executions must have ended until those that go on tell nothing more of how long one lasts.</summary>
    private const int FewExecutions = 16;

    private static readonly RankPlans Unplanned = new();

    /// <summary>What each rung follows before anything is known.</summary>
    private static readonly int[] Nearest = [.. AdaptivePrices.Ladder.Select(p => AdaptiveCandidates.Nearest(AdaptiveCandidates.Prices, p))];

    private readonly AdaptivePolicyOptions _options;
    private readonly AdaptiveState _shared;
    private readonly FunctionMeta _function;
    private readonly IPolicyHost _host;
    private readonly PeriodTracker _period = new();
    private readonly AdaptiveShadows _shadows;
    private readonly HazardHistogram _kin;
    private RankPlans?[] _plans = new RankPlans?[2];
    private CandidateOfRung _followed;
    private Crowd _live;
    private Surges _surges;
    private long _coldUs;
    private long _waitReviewUs;
    private long _prewarmedForUs = long.MinValue;
    private long _coPrewarmedUs = long.MinValue;
    private long _lastAloneUs = long.MinValue / 2;
    private bool _foretold;
    private int _inVain;

    internal AdaptivePolicy(AdaptivePolicyOptions options, AdaptiveState shared, FunctionMeta function, IPolicyHost host)
    {
        _options = options;
        _shared = shared;
        _shadows = new AdaptiveShadows(shared.LastCosts);
        _function = function;
        _host = host;
        _kin = shared.KinOf(function);
        for (var rung = 0; rung < AdaptivePrices.Ladder.Length; rung++)
        {
            _followed[rung] = (byte)Nearest[rung];
        }

        shared.Join(this);
    }

    internal CoArrivals.Links Leaders { get; } = new();

    /// <summary>Whether requests wait or are executed.</summary>
    internal bool IsActive { get; private set; }

    public bool HasStandby => true;

    public void RequestArrived(in PoolView pool)
    {
        _coldUs = (long)ColdUs(pool);
        _statistics = pool.Statistics;
        var alone = pool.Statistics.Active == 1;
        _live.Arrived(pool.NowUs, alone, _coldUs);
        _surges.Arrived(pool.NowUs, _coldUs, _live.Rates, ref _shared.Surges);
        IsActive = true;
        if (!alone)
        {
            return;
        }

        Compare(pool.NowUs);
        if (pool.NowUs - _lastAloneUs > _coldUs)
        {
            _shared.CoArrivals.Onset(this, pool.NowUs);
        }

        _lastAloneUs = pool.NowUs;
        _period.Arrived(pool.NowUs, Math.Max(200_000, 2 * _coldUs));
    }

    private bool HasPeriod => _period.Reliability >= LeastReliability;

    internal void AskForReview() => _host.RequestReview(_function.Key);

    /// <summary>Whether the period had foretold an arrival, and how many others in vain.</summary>
    private void Compare(long nowUs)
    {
        _inVain = 0;
        _foretold = false;
        if (!HasPeriod)
        {
            return;
        }

        var marginUs = _period.MarginUs;
        var nextUs = _period.NextAfter(_lastAloneUs + marginUs);
        while (nextUs < nowUs - marginUs && _inVain < 8)
        {
            _inVain++;
            nextUs = _period.NextAfter(nextUs + 1);
        }

        _foretold = Math.Abs(nextUs - nowUs) <= marginUs;
    }

    /// <summary>The candidate followed now.</summary>
    private int Followed(in PoolView pool) => _followed[Rung(pool)];

    private ref readonly AdaptivePlan PlanOf(int rank, scoped in PoolView pool) => ref PlanOf(Followed(pool), rank, pool);

    private ref readonly AdaptivePlan PlanOf(int candidate, int rank, scoped in PoolView pool) =>
        ref PlansOf(rank, pool).Of(candidate);

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
                keepUs = Math.Max(Math.Max(untilUs, keepUs), nowUs + 1);
                RecordKept(pool, gapStartUs, keepUs);
                return keepUs;
            }
        }

        // Asked again when as much time has passed as has already: what is known, and what everything costs, changes while nothing happens.
        Settle(nowUs);
        _shared.SettleNext(nowUs);
        _shared.Prices.Review(nowUs, _shared.MeanColdUs, _options);
        RecordIdle(pool, slot.Rank, gapStartUs, keepUs);
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

        IsActive = pool.Statistics.Active > 0;
        if (pool.Waiters == 0)
        {
            create += Prewarm(pool, ref reviewUs);
        }

        return new StandbyPlan(create, reviewUs);
    }

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
                create = Math.Clamp(together, 1, 16);
                var heldGbs = pool.Function.MemoryGb * 2 * _period.MarginUs / 1e6;
                Record(pool, AdaptiveDecisionKind.PrewarmByPeriod, create, create * (CreateCost(pool) + heldGbs), create * ColdStartGbs(pool));
                return create;
            }

            reviewUs = Math.Min(reviewUs, beginUs);
        }

        if (pool.Busy + pool.Idle + pool.InFlight == 0 && ForetoldByOthers(pool))
        {
            _coPrewarmedUs = Leaders.ToldUs;
            Record(pool, AdaptiveDecisionKind.PrewarmByLeader, 1);
            return 1;
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

        if (create > 0)
        {
            Record(pool, AdaptiveDecisionKind.PrewarmByPlan, create);
        }

        return create;
    }

    /// <summary>Whether another function has just come that foretells this one, and creating before it comes is worth it.</summary>
    private bool ForetoldByOthers(in PoolView pool)
    {
        if (Leaders.ToldUs == _coPrewarmedUs || pool.NowUs - Leaders.ToldUs > 1000)
        {
            return false;
        }

        var coldUs = ColdUs(pool);
        var saved = Price(pool) * Leaders.Likelihood * Math.Min(coldUs, Leaders.LeadUs) / 1e6;
        var wasted = (1 - Leaders.Likelihood) * (CreateCost(pool) + (pool.Function.MemoryGb * Leaders.LeadUs / 1e6));
        return saved > wasted + (pool.Function.MemoryGb * Math.Max(0, Leaders.LeadUs - coldUs) / 1e6);
    }

    private bool Foretold(long fromUs, out long arrivalUs)
    {
        arrivalUs = long.MaxValue;
        if (!HasPeriod)
        {
            return false;
        }

        arrivalUs = _period.NextAfter(fromUs);
        return arrivalUs != long.MaxValue;
    }

    /// <summary>What one more slot costs until it is ready, GBs: its memory, and what its share of a rationed create is worth.</summary>
    private double CreateCost(double price, in PoolView pool) =>
        (pool.Function.MemoryGb * (ColdUs(pool) / 1e6)) + (price * pool.CreatePriceSeconds);

    private double CreateCost(in PoolView pool) => CreateCost(Price(pool), pool);

    private double? GivenPrice(in PoolView pool) => _options.PriceGbs ?? pool.LatencyPriceGbs;

    private int Rung(in PoolView pool) => GivenPrice(pool) is { } price
        ? AdaptiveCandidates.Nearest(AdaptivePrices.Ladder, price)
        : _shared.Prices.Rung;

    private double Price(in PoolView pool) => AdaptiveCandidates.PriceOf(Followed(pool));

    [InlineArray(AdaptivePrices.RungCount)]
    private struct CandidateOfRung
    {
        private byte _first;
    }
}
