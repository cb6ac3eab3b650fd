using System.Numerics;
using FuncScaler.Learned;
using FuncScaler.Policies.Adaptive.Demand;
using FuncScaler.Policies.Adaptive.Planning;

namespace FuncScaler.Policies.Adaptive.Choosing;

/// <summary>
/// What one function's requests would have cost under each candidate. Every candidate has a pool of pretended instances, to which the real
/// arrivals are applied. Executions are assumed to last as long as the last eight that ended, in turn. Older costs count less.
/// </summary>
/// <remarks>
/// The work for an arrival grows with the pools' sizes, so these are bounded. If a pool would have more places, each place stands for two,
/// four, … real places, and that many arrivals are applied as one arrival. This <see cref="Scale"/> is the same for all pools of a
/// function.
/// <para>
/// An instance has as many places as requests may share it, and is held and paid for as a whole. It is idle when its first place is free,
/// because that place becomes free last. From then on it follows the plan of its rank. While its first place is in use, its other places
/// cost nothing.
/// </para>
/// </remarks>
/// <param name="last">Where the costs that an arrival added are put. Other functions share this object and overwrite it.</param>
internal sealed class PretendedPools(PretendedPools.Costs last)
{
    /// <summary>
    /// The most places of one pool after an arrival has been applied to all pools. If four instances have more places than this, that is
    /// the limit.
    /// </summary>
    public const int MostPlaces = 1024;

    /// <summary>How often idle instances are paid for, µs.</summary>
    private const long PayEveryUs = 1_000_000;

    private Candidates.OfEach<PretendedPool> _pools;
    private Candidates.OfEach<double> _slotGbSeconds;
    private Candidates.OfEach<double> _waitSeconds;
    private int _skipped;
    private int _concurrency = 1;

    /// <summary>The places of a pretended instance.</summary>
    private int _places = 1;

    /// <summary>The plans that the pools follow.</summary>
    public interface IPlans
    {
        ref readonly KeepAlivePlan Of(int candidate, int rank);
    }

    /// <summary>The plans and the expected arrivals at the time of a request.</summary>
    public interface IForecast : IPlans
    {
        /// <summary>The arrivals expected within a cold start.</summary>
        ExpectedArrivals Expected();
    }

    /// <summary>The number of real places that each pretended place stands for, a power of two.</summary>
    public int Scale { get; private set; } = 1;

    /// <summary>How many requests share a real instance, from 1.</summary>
    public int Concurrency
    {
        get => _concurrency;
        set
        {
            _concurrency = value;
            _places = Math.Max(1, value / Scale);
        }
    }

    /// <summary>What each creation costs beyond the memory until the instance is ready, in µs of holding an instance.</summary>
    public long CreateUs { get; set; }

    /// <summary>The number of real instances that each pretended instance stands for.</summary>
    private int InstanceScale => Math.Max(1, Scale / _concurrency);

    /// <summary>For each candidate the memory that was held outside executions, GB·s. Older amounts count less.</summary>
    public Span<double> SlotGbSeconds => _slotGbSeconds;

    /// <summary>For each candidate the time that requests waited, s. Older amounts count less.</summary>
    public Span<double> WaitSeconds => _waitSeconds;

    /// <summary>For each candidate the memory that the last arrival added, GB·s.</summary>
    public double[] LastSlotGbSeconds => last.SlotGbSeconds;

    /// <summary>For each candidate the waiting that the last arrival added, s.</summary>
    public double[] LastWaitSeconds => last.WaitSeconds;

    /// <summary>How many instances a candidate had at the last arrival: busy, idle, or to be created again by its plans.</summary>
    public int Instances(int candidate) => InstanceScale * ((_pools[candidate].Count + _places - 1) / _places);

    /// <summary>Whether an arrival is to be applied to the pools. False means that a later arrival stands for this one too.</summary>
    public bool TakesNext()
    {
        if (++_skipped < Scale)
        {
            return false;
        }

        _skipped = 0;
        return true;
    }

    /// <summary>Bounds the pools' sizes; to be called once an arrival has been applied to all pools.</summary>
    public void Rescale()
    {
        var most = 0;
        for (var i = 0; i < Candidates.Count; i++)
        {
            most = Math.Max(most, _pools[i].Count);
        }

        var limit = Math.Max(MostPlaces, 4 * _concurrency);
        while (most > limit)
        {
            Scale *= 2;
            most /= 2;
            foreach (ref var pool in (Span<PretendedPool>)_pools)
            {
                pool.Halve();
            }
        }

        if (Scale > 1 && most < limit / 4)
        {
            Scale /= 2;
            foreach (ref var pool in (Span<PretendedPool>)_pools)
            {
                pool.Double();
            }
        }

        Concurrency = _concurrency;
    }

    /// <summary>Multiplies all costs by a factor.</summary>
    public void Age(double factor)
    {
        for (var i = 0; i < Candidates.Count; i++)
        {
            SlotGbSeconds[i] *= factor;
            WaitSeconds[i] *= factor;
        }
    }

    /// <summary>Applies an arrival to a candidate's pool. Returns whether the arrival found no instance.</summary>
    public bool Arrive<TForecast>(int candidate, in PretendedArrival arrival, TForecast forecast)
        where TForecast : struct, IForecast, allows ref struct
    {
        ref var pool = ref _pools[candidate];
        var atUs = arrival.AtUs;
        var idle = pool.FirstAfter(atUs);
        var place = pool.Count - idle + 1;
        var rank = RankOf(place);
        long waitUs = 0;
        var heldUs = PayIdle(ref pool, candidate, atUs, arrival.ColdUs, PayEveryUs, ref idle, forecast);
        var served = idle > 0 && !IsFirst(place);
        if (served)
        {
            pool.Remove(idle - 1);
        }
        else if (idle > 0)
        {
            served = Take(ref pool, --idle, rank, candidate, arrival, forecast, ref heldUs, out waitUs);
            idle -= served ? 0 : RemoveOthers(ref pool, idle);
        }

        if (!served && ReadyOther(ref pool, idle, candidate, arrival, forecast) is var other and >= 0)
        {
            // It does not matter which instance serves which rank. This instance serves the request, and a new one is created for its rank.
            served = Take(ref pool, other, RankOf(pool.Count + _places - other), candidate, arrival, forecast, ref heldUs, out waitUs);
            idle -= 1 + RemoveOthers(ref pool, other);
            heldUs += arrival.ColdUs + CreateUs;
            pool.Insert(atUs + arrival.ColdUs, _places);
            InsertFree(ref pool, atUs);
        }

        if (served)
        {
            pool.Insert(atUs + waitUs + arrival.DurationUs);
        }
        else if (rank == 1 && arrival.Foretold && Candidates.IsPeriodic(candidate))
        {
            served = true;
            waitUs = 0;
            heldUs += arrival.WindowUs + CreateUs;
            pool.Insert(atUs + arrival.DurationUs);
            InsertFree(ref pool, atUs);
        }
        else
        {
            heldUs += rank == 1 && Candidates.IsPeriodic(candidate) ? arrival.InVain * (arrival.WindowUs + CreateUs) : 0;
            heldUs += Miss(ref pool, idle, candidate, arrival, forecast, out waitUs);
        }

        Enter(candidate, arrival.MemoryGb * heldUs / 1e6, waitUs / 1e6);
        return !served;
    }

    /// <summary>Enters what idle instances have cost since they were last paid for.</summary>
    public void Settle<TPlans>(int candidate, long nowUs, long coldUs, double memoryGb, TPlans plans)
        where TPlans : struct, IPlans, allows ref struct
    {
        ref var pool = ref _pools[candidate];
        var idle = pool.FirstAfter(nowUs);
        Enter(candidate, memoryGb * PayIdle(ref pool, candidate, nowUs, coldUs, 0, ref idle, plans) / 1e6, 0);
    }

    /// <summary>
    /// For how long idle instances were held since they were last paid for, µs; 0 if that is not long ago. Instances of the highest ranks
    /// are removed once their plans have ended.
    /// </summary>
    private long PayIdle<TPlans>(ref PretendedPool pool, int candidate, long nowUs, long coldUs, long everyUs, ref int idle, TPlans plans)
        where TPlans : struct, IPlans, allows ref struct
    {
        if (nowUs - pool.PaidUntilUs < everyUs)
        {
            return 0;
        }

        // The pool remembers whole seconds only.
        nowUs -= nowUs % 1_000_000;
        long heldUs = 0;
        var ended = 0;
        var instance = 0;
        for (var i = 0; i < idle; i++)
        {
            if (!IsFirst(pool.Count - i))
            {
                continue;
            }

            ref readonly var plan = ref plans.Of(candidate, RealRank(RankOf(pool.Count - i)));
            heldUs += Unpaid(pool, i, plan, nowUs, coldUs, out var live, out _);
            pool.SetLive(i, live);

            // Only the highest ranks are removed. Without another instance, every instance of a higher rank would move down by one rank.
            ended = ended == instance && !live && nowUs - pool.FreeAtUs(i) > plan.EndUs ? i + 1 : ended;
            instance = i + 1;
        }

        if (ended > 0)
        {
            pool.Remove(0, ended);
            idle -= ended;
            pool.Trim();
        }

        pool.PaidUntilUs = nowUs;
        return heldUs;
    }

    /// <summary>
    /// Ends the gap of an idle instance, and adds the time that is not paid for yet. Returns whether the instance was there or under way.
    /// </summary>
    private bool Take<TPlans>(
        ref PretendedPool pool, int index, int rank, int candidate, in PretendedArrival arrival, TPlans plans, ref long heldUs, out long waitUs)
        where TPlans : struct, IPlans, allows ref struct
    {
        heldUs += Unpaid(pool, index, plans.Of(candidate, RealRank(rank)), arrival.AtUs, arrival.ColdUs, out var served, out waitUs);
        pool.Remove(index);
        return served;
    }

    /// <summary>
    /// For how long an idle instance was held since its pool was last paid for, µs. Before that it followed the plans of that time. If it
    /// was given back then, it stays away, even if the present plan would have kept it.
    /// </summary>
    private long Unpaid(in PretendedPool pool, int index, in KeepAlivePlan plan, long nowUs, long coldUs, out bool live, out long waitUs)
    {
        var freeAtUs = pool.FreeAtUs(index);
        live = pool.IsLive(index);
        waitUs = plan.Follow(ref live, Math.Max(0, pool.PaidUntilUs - freeAtUs), Math.Max(0, nowUs - freeAtUs), coldUs, CreateUs, out var heldUs);
        return heldUs;
    }

    /// <summary>The index of the idle instance of the lowest rank that is ready by the plan of its rank; -1 for none.</summary>
    private int ReadyOther<TPlans>(ref PretendedPool pool, int idle, int candidate, in PretendedArrival arrival, TPlans plans)
        where TPlans : struct, IPlans, allows ref struct
    {
        for (var i = idle - 1; i >= 0; i--)
        {
            // The instance that was asked for first is no longer in the pool, so its places are added to the count.
            var place = pool.Count + _places - i;
            if (!IsFirst(place))
            {
                continue;
            }

            Unpaid(pool, i, plans.Of(candidate, RealRank(RankOf(place))), arrival.AtUs, arrival.ColdUs, out var live, out var lateUs);
            if (live && lateUs == 0)
            {
                return i;
            }
        }

        return -1;
    }

    /// <summary>
    /// Serves a request that finds no instance: creates as many instances as <see cref="WaitOrCreate"/> says, and lets the request wait for
    /// the first instance that becomes free. Returns for
    /// how long memory is held for creating, µs.
    /// </summary>
    /// <param name="idle">How many places are free; none of them has an instance now.</param>
    private long Miss<TForecast>(
        ref PretendedPool pool, int idle, int candidate, in PretendedArrival arrival, TForecast forecast, out long waitUs)
        where TForecast : struct, IForecast, allows ref struct
    {
        var atUs = arrival.AtUs;
        var coldUs = arrival.ColdUs;
        var durationUs = arrival.DurationUs;
        var places = pool.Count - idle;
        double starts = 0;
        for (var i = idle; i < pool.Count; i++)
        {
            // If a place is taken for longer than a cold start, requests wait for it that cannot begin within a cold start. They count
            // against the starts.
            var leftUs = coldUs - (pool.FreeAtUs(i) - atUs);
            starts += leftUs >= 0 ? 1 + ((double)leftUs / durationUs) : -(-leftUs / durationUs);
        }

        var priceGbs = Candidates.PriceOf(candidate);
        var queue = new WaitOrCreate.Queue(
            Scale * places,
            _concurrency,
            HasWaiting: true,
            Late: Scale * (1 - starts),
            durationUs,
            priceGbs,
            arrival.CreateGbs + (priceGbs * arrival.CreatePriceSeconds),
            WorthGbs: places == 0 || arrival.Rank <= InstanceScale * (RankOf(places + _places) - 1) ? 0 : forecast.Of(candidate, RealRank(RankOf(places + _places))).WorthGbs);
        var create = WaitOrCreate.Count(queue, forecast.Expected(), out _, Scale * _places);
        if (create > 0)
        {
            pool.Insert(atUs + coldUs, create * _places);
        }

        waitUs = Math.Max(0, pool.FreeAtUs(idle) - atUs);
        pool.Remove(idle);
        pool.Insert(atUs + waitUs + durationUs);
        return create * (coldUs + CreateUs);
    }

    /// <summary>Writes what each candidate has cost.</summary>
    public void WriteCosts(LearnedWriter writer)
    {
        for (var i = 0; i < Candidates.Count; i++)
        {
            writer.Number(SlotGbSeconds[i]);
            writer.Number(WaitSeconds[i]);
        }
    }

    public void ReadCosts(LearnedReader reader)
    {
        for (var i = 0; i < Candidates.Count; i++)
        {
            SlotGbSeconds[i] = reader.Number();
            WaitSeconds[i] = reader.Number();
        }
    }

    /// <summary>Writes the instances of each candidate, up to a number.</summary>
    public void WriteInstances(LearnedWriter writer, int most)
    {
        writer.Whole(BitOperations.Log2((uint)Scale));
        foreach (ref readonly var pool in (ReadOnlySpan<PretendedPool>)_pools)
        {
            pool.Write(writer, most);
        }
    }

    public void ReadInstances(LearnedReader reader, int most)
    {
        Scale = 1 << reader.Count(30);
        foreach (ref var pool in (Span<PretendedPool>)_pools)
        {
            pool = default;
            pool.Read(reader, most);
        }
    }

    /// <summary>The rank of the instance that a place belongs to. Places are counted from 1, like the requests that are active.</summary>
    private int RankOf(int place) => _places == 1 ? place : ((place - 1) / _places) + 1;

    /// <summary>Whether a place is the first of its instance: the instance is in use while this place is.</summary>
    private bool IsFirst(int place) => _places == 1 || (place - 1) % _places == 0;

    /// <summary>Removes the other places of an instance whose first place has just been removed. They end before an index.</summary>
    /// <returns>How many places were removed.</returns>
    private int RemoveOthers(ref PretendedPool pool, int index)
    {
        var others = Math.Min(_places - 1, index);
        if (others > 0)
        {
            pool.Remove(index - others, others);
        }

        return others;
    }

    /// <summary>Adds the other places of an instance whose first place has just been taken. They are free.</summary>
    private void InsertFree(ref PretendedPool pool, long atUs)
    {
        if (_places > 1)
        {
            pool.Insert(atUs, _places - 1);
        }
    }

    /// <summary>The middle of the real ranks that a pretended rank stands for.</summary>
    private int RealRank(int rank) => ((rank - 1) * InstanceScale) + ((InstanceScale + 1) / 2);

    private void Enter(int candidate, double slotGbSeconds, double waitSeconds)
    {
        slotGbSeconds *= InstanceScale;
        waitSeconds *= Scale;
        LastSlotGbSeconds[candidate] = slotGbSeconds;
        LastWaitSeconds[candidate] = waitSeconds;
        SlotGbSeconds[candidate] += slotGbSeconds;
        WaitSeconds[candidate] += waitSeconds;
    }

    /// <summary>Costs by candidate.</summary>
    public sealed class Costs
    {
        /// <summary>Slot time beyond execution, GB·s.</summary>
        public double[] SlotGbSeconds { get; } = new double[Candidates.Count];

        /// <summary>Waiting, s.</summary>
        public double[] WaitSeconds { get; } = new double[Candidates.Count];
    }
}
