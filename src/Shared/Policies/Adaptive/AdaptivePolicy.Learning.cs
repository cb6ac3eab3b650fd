using FuncScaler.Policies.Adaptive.Choosing;
using FuncScaler.Policies.Adaptive.Demand;
using FuncScaler.Statistics;

namespace FuncScaler.Policies.Adaptive;

/// <content>Learning: gaps, what piles up, and what each candidate would have cost.</content>
public sealed partial class AdaptivePolicy
{
    /// <summary>For each rung the candidates with about its price; and with those for the period.</summary>
    private static readonly int[][] Near = [.. AdaptivePrices.Ladder.Select(AdaptiveCandidates.Near)];
    private static readonly int[][] NearOrTimed = [.. Near.Select(near => (int[])[.. near, .. Enumerable.Range(0, AdaptiveCandidates.Count).Where(AdaptiveCandidates.IsTimed)])];

    private Crowd _asked;
    private int _coldStarts;
    private long _settledUs;
    private long _agedUs;
    private long _firstUs = long.MaxValue;
    private int _learned;
    private FunctionStatistics? _statistics;

    /// <summary>For each rank, up to which bin its present gap has been told to others.</summary>
    private byte[] _counted = [];
    private long _pileSinceUs = long.MinValue;
    private float _pileNow;
    private float _pile = 1;
    private int _crowdNow;
    private byte _onsets;
    private CrowdSizes _crowds;

    private double Pile => 1 + (_options.PileFactor * (_pile - 1));

    public void DemandLearned(in PoolView pool, in RankedArrival demand)
    {
        if (pool.Statistics.Init.Count > _coldStarts)
        {
            _coldStarts = (int)pool.Statistics.Init.Count;
            _shared.Cold(pool.Statistics.ColdStartUs);
        }

        var coldUs = ColdUs(pool);
        var afterGap = demand.GapUs < 0 || demand.GapUs > coldUs;
        CountPile(demand, afterGap, coldUs);
        PlansOf(demand.Rank, pool).Spell.Arrived(demand.ArrivedUs, afterGap, coldUs);
        _asked.Arrived(demand.ArrivedUs, demand.Rank == 1, coldUs);
        if (demand.GapUs >= 0)
        {
            var bin = LogHistogram.BinOf(demand.GapUs);
            var countedBins = demand.Rank <= _counted.Length ? Math.Min(_counted[demand.Rank - 1], bin) : 0;
            _shared.Gap(_kin, FunctionStatistics.GroupOf(demand.Rank), pool.Function.MemoryMb, demand.GapUs, countedBins);
        }

        if (demand.Rank <= _counted.Length)
        {
            _counted[demand.Rank - 1] = 0;
        }

        Apply(pool, demand);
    }

    /// <summary>Enters what candidates' instances cost that are held in vain; called in turn, since nothing may ever happen to this function.</summary>
    internal void Settle(long nowUs)
    {
        if (nowUs - _settledUs < 1_000_000)
        {
            return;
        }

        _settledUs = nowUs;
        CountOpenGaps(nowUs);
        var plans = new PlansMade(this);

        // Arrivals whose gap is not known yet are still to be applied, at the time they came: what was settled beyond would be counted twice.
        var appliedUs = Math.Min(nowUs, _statistics?.OpenDemandSinceUs ?? nowUs);
        for (var i = 0; i < AdaptiveCandidates.Count; i++)
        {
            _shadows.Settle(i, appliedUs, _coldUs, _function.MemoryGb, plans);
        }

        EnterPrices();
        if (!IsNew(nowUs, _coldUs))
        {
            Choose(_function.MemoryGb, _coldUs / 1e6);
        }
    }

    /// <summary>That a gap goes on tells others something as well: those that came once and never again have no gaps at all.</summary>
    private void CountOpenGaps(long nowUs)
    {
        var ranks = _statistics is null ? 0 : Math.Min(MaxLooked, _statistics.RanksSeen);
        for (var rank = 1; rank <= ranks; rank++)
        {
            if (_statistics!.FreedAtUs(rank) is not { } freedAtUs)
            {
                continue;
            }

            if (_counted.Length < rank)
            {
                Array.Resize(ref _counted, ranks);
            }

            ref var counted = ref _counted[rank - 1];
            var bin = LogHistogram.BinOf(nowUs - freedAtUs);
            if (bin > counted)
            {
                _shared.GapReached(_kin, FunctionStatistics.GroupOf(rank), _function.MemoryMb, counted, bin);
                counted = (byte)bin;
            }
        }
    }

    /// <summary>The first cold starts come under every candidate alike.</summary>
    private bool IsNew(long nowUs, double coldUs) => nowUs - _firstUs < _options.Warmup / 4 * coldUs;

    private void EnterPrices()
    {
        for (var rung = 0; rung < AdaptivePrices.Ladder.Length; rung++)
        {
            var followed = _followed[rung];
            _shared.Prices.Enter(rung, _shadows.LastSlotGbSeconds[followed], _shadows.LastWaitSeconds[followed]);
        }
    }

    /// <summary>Applies an arrival to the candidates, and chooses anew among them now and then.</summary>
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

        var durationUs = Math.Max(1000, pool.Statistics.Duration.Count > 0 ? pool.Statistics.RecentDurationUs(_learned) : (long)DurationUs(pool));
        var last = default(PlansAt.Last);
        var plans = new PlansAt(this, in pool, ref last, demand.ArrivedUs);
        var atOnce = demand.ArrivedUs == pool.NowUs;
        var arrival = new Arrival(demand.ArrivedUs, durationUs, coldUs, memoryGb, CreateCost(pool), atOnce && _foretold, atOnce ? _inVain : 0, coldUs + (2 * _period.MarginUs));
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
            EnterPrices();
            _shared.Prices.Executed(pool.Statistics.Duration.MeanUs / 1e6, memoryGb);
            _shared.Prices.Review(demand.ArrivedUs, _shared.MeanColdUs, _options);
        }

        _firstUs = Math.Min(_firstUs, demand.ArrivedUs);
        _learned++;
        if (IsNew(demand.ArrivedUs, coldUs))
        {
            _shadows.Age(0);
        }
        else if (_learned % 8 == 0)
        {
            _shadows.Age(Math.Pow(2, -(demand.ArrivedUs - _agedUs) / (1e6 * _options.MemorySeconds)));
            _agedUs = demand.ArrivedUs;
            Choose(memoryGb, coldUs / 1e6);
        }
    }

    /// <summary>
    /// Finds the cheapest candidate at each rung, of those with about its price. To others it would change too often, and the instances that
    /// they have in pretence would be missing at each change. The period's have their own prices, but are looked at only where there is a period.
    /// </summary>
    private void Choose(double memoryGb, double coldSeconds)
    {
        var candidates = HasPeriod ? NearOrTimed : Near;
        for (var rung = 0; rung < AdaptivePrices.Ladder.Length; rung++)
        {
            var price = AdaptivePrices.Ladder[rung];
            int followed = _followed[rung];
            var best = followed;
            var bestCost = ((1 - _options.Share) * (_shadows.SlotGbSeconds[followed] + (price * _shadows.WaitSeconds[followed]))) - (_options.Evidence * (memoryGb + price) * coldSeconds);
            foreach (var candidate in candidates[rung])
            {
                // It has its instances already; who follows it has yet to create them.
                var toCreate = Math.Max(0, _shadows.Instances(candidate) - _shadows.Instances(followed));
                var cost = _shadows.SlotGbSeconds[candidate] + (price * _shadows.WaitSeconds[candidate]) + (toCreate * memoryGb * coldSeconds);
                if (cost < bestCost)
                {
                    (best, bestCost) = (candidate, cost);
                }
            }

            _followed[rung] = (byte)best;
        }
    }

    /// <summary>
    /// How many waits a cold start after a gap amounts to: arrivals while it lasts wait for the rest of it. Measured whether there was a
    /// cold start or not.
    /// </summary>
    private void CountPile(in RankedArrival demand, bool afterGap, double coldUs)
    {
        if (_pileSinceUs != long.MinValue)
        {
            var age = demand.ArrivedUs - _pileSinceUs;
            if (age < coldUs)
            {
                // Those of higher ranks would wait for others all the same.
                _crowdNow++;
                _pileNow += demand.Rank == 1 ? (float)(1 - (age / coldUs)) : 0;
                return;
            }

            // Of the last five, and the first one whole.
            _onsets += (byte)(_onsets < 5 ? 1 : 0);
            _pile += (_pileNow - _pile) / _onsets;
            _crowds.Add(_crowdNow);
            _pileSinceUs = long.MinValue;
        }

        if (demand.Rank == 1 && afterGap)
        {
            _pileSinceUs = demand.ArrivedUs;
            _pileNow = 1;
            _crowdNow = 1;
        }
    }
}
