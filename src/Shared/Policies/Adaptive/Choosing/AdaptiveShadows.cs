using System.Diagnostics.CodeAnalysis;
using FuncScaler.Policies.Adaptive.Demand;
using FuncScaler.Policies.Adaptive.Planning;

namespace FuncScaler.Policies.Adaptive.Choosing;

/// <summary>
/// What one function's requests would have cost under each of the candidates: a pool of pretended instances for every candidate, to which
/// the real arrivals are applied. Executions take as long as the last eight that ended, in turn; costs age.
/// </summary>
/// <param name="last">Where what an arrival added is put; it may be shared with others, who overwrite it.</param>
internal sealed class AdaptiveShadows(AdaptiveShadows.Costs last)
{
    private const int MaxCreates = 64;

    private AdaptiveCandidates.OfEach<Pool> _pools;
    private AdaptiveCandidates.OfEach<double> _slotGbSeconds;
    private AdaptiveCandidates.OfEach<double> _waitSeconds;

    /// <summary>GBs of slot time beyond execution, aged.</summary>
    public Span<double> SlotGbSeconds => _slotGbSeconds;

    /// <summary>Seconds of waiting, aged.</summary>
    public Span<double> WaitSeconds => _waitSeconds;

    /// <summary>What the last arrival added: GBs of slot time.</summary>
    public double[] LastSlotGbSeconds => last.SlotGbSeconds;

    /// <summary>What the last arrival added: seconds of waiting.</summary>
    public double[] LastWaitSeconds => last.WaitSeconds;

    /// <summary>How many slots a candidate has as of the last arrival: busy, idle, or to be created again by its plans.</summary>
    public int Instances(int candidate) => _pools[candidate].Count;

    public void Age(double factor)
    {
        for (var i = 0; i < AdaptiveCandidates.Count; i++)
        {
            SlotGbSeconds[i] *= factor;
            WaitSeconds[i] *= factor;
        }
    }

    /// <summary>Applies an arrival to a candidate's pool; whether it found no instance.</summary>
    public bool Arrive<TPlans>(int candidate, in Arrival arrival, TPlans plans)
        where TPlans : struct, IOutlook, allows ref struct
    {
        ref var pool = ref _pools[candidate];
        var atUs = arrival.AtUs;
        var idle = pool.FirstAfter(atUs);
        var rank = pool.Count - idle + 1;
        long waitUs = 0;
        var heldUs = Accrue(ref pool, candidate, atUs, arrival.ColdUs, 1_000_000, ref idle, plans);
        var served = idle > 0 && Take(ref pool, --idle, rank, candidate, arrival, plans, ref heldUs, out waitUs);
        if (!served && ReadyOther(ref pool, idle, candidate, arrival, plans) is var other and >= 0)
        {
            // Which instance serves which rank does not matter: this one serves, and is made again for its own.
            idle--;
            served = Take(ref pool, other, pool.Count + 1 - other, candidate, arrival, plans, ref heldUs, out waitUs);
            heldUs += arrival.ColdUs;
            pool.Insert(atUs + arrival.ColdUs);
        }

        if (served)
        {
            pool.Insert(atUs + waitUs + arrival.DurationUs);
        }
        else if (rank == 1 && arrival.Foretold && AdaptiveCandidates.IsTimed(candidate))
        {
            served = true;
            waitUs = 0;
            heldUs += arrival.WindowUs;
            pool.Insert(atUs + arrival.DurationUs);
        }
        else
        {
            heldUs += rank == 1 && AdaptiveCandidates.IsTimed(candidate) ? arrival.InVain * arrival.WindowUs : 0;
            heldUs += Miss(ref pool, idle, candidate, arrival, plans, out waitUs);
        }

        Enter(candidate, arrival.MemoryGb * heldUs / 1e6, waitUs / 1e6);
        return !served;
    }

    /// <summary>Enters what idle instances have cost since last time.</summary>
    public void Settle<TPlans>(int candidate, long nowUs, long coldUs, double memoryGb, TPlans plans)
        where TPlans : struct, IPlans, allows ref struct
    {
        ref var pool = ref _pools[candidate];
        var idle = pool.FirstAfter(nowUs);
        Enter(candidate, memoryGb * Accrue(ref pool, candidate, nowUs, coldUs, 0, ref idle, plans) / 1e6, 0);
    }

    /// <summary>What idle instances have cost since last time, if that is a while ago; the last ranks whose plans have ended are forgotten.</summary>
    private static long Accrue<TPlans>(ref Pool pool, int candidate, long nowUs, long coldUs, long everyUs, ref int idle, TPlans plans)
        where TPlans : struct, IPlans, allows ref struct
    {
        if (nowUs - pool.AccruedUs < everyUs)
        {
            return 0;
        }

        // To the whole second, which is what is remembered.
        nowUs -= nowUs % 1_000_000;
        long heldUs = 0;
        var ended = 0;
        for (var i = 0; i < idle; i++)
        {
            ref readonly var plan = ref plans.Of(candidate, pool.Count - i);
            heldUs += Unpaid(pool, i, plan, nowUs, coldUs, out var live, out _);
            pool.SetLive(i, live);

            // From the last rank on: others are counted from those.
            ended += ended == i && !live && nowUs - pool.FreeAtUs(i) > plan.EndUs ? 1 : 0;
        }

        if (ended > 0)
        {
            pool.Remove(0, ended);
            idle -= ended;
            pool.Trim();
        }

        pool.AccruedUs = nowUs;
        return heldUs;
    }

    /// <summary>Ends an idle slot's gap: what it has cost that is not paid yet is added, and whether there was an instance, or one under way.</summary>
    private static bool Take<TPlans>(ref Pool pool, int index, int rank, int candidate, in Arrival arrival, TPlans plans, ref long heldUs, out long waitUs)
        where TPlans : struct, IPlans, allows ref struct
    {
        heldUs += Unpaid(pool, index, plans.Of(candidate, rank), arrival.AtUs, arrival.ColdUs, out var served, out waitUs);
        pool.Remove(index);
        return served;
    }

    /// <summary>
    /// For how long an idle slot was held since its pool was last paid for, µs. Until then it followed the plans of that time: one that was given
    /// back is not there because a plan made since would have kept it.
    /// </summary>
    private static long Unpaid(in Pool pool, int index, in AdaptivePlan plan, long nowUs, long coldUs, out bool live, out long waitUs)
    {
        var freeAtUs = pool.FreeAtUs(index);
        live = pool.IsLive(index);
        waitUs = plan.Follow(ref live, Math.Max(0, pool.AccruedUs - freeAtUs), Math.Max(0, nowUs - freeAtUs), coldUs, out var heldUs);
        return heldUs;
    }

    /// <summary>Of the first so many slots, which are idle, the last that has an instance now by its own rank's plan; -1 for none.</summary>
    private static int ReadyOther<TPlans>(ref Pool pool, int idle, int candidate, in Arrival arrival, TPlans plans)
        where TPlans : struct, IPlans, allows ref struct
    {
        for (var i = idle - 1; i >= 0; i--)
        {
            // One less is there than before: the slot asked for is gone.
            Unpaid(pool, i, plans.Of(candidate, pool.Count + 1 - i), arrival.AtUs, arrival.ColdUs, out var live, out var lateUs);
            if (live && lateUs == 0)
            {
                return i;
            }
        }

        return -1;
    }

    /// <summary>A request that finds no instance: creates what is worth creating, and waits for the first that is free.</summary>
    /// <param name="idle">How many slots are idle; none of them has an instance now.</param>
    private static long Miss<TPlans>(ref Pool pool, int idle, int candidate, in Arrival arrival, TPlans plans, out long waitUs)
        where TPlans : struct, IOutlook, allows ref struct
    {
        var atUs = arrival.AtUs;
        var coldUs = arrival.ColdUs;
        var durationUs = arrival.DurationUs;
        var price = AdaptiveCandidates.PriceOf(candidate);
        double starts = 0;
        for (var i = idle; i < pool.Count; i++)
        {
            // One that is promised for longer than a cold start has requests waiting for it that cannot begin within it.
            var leftUs = coldUs - (pool.FreeAtUs(i) - atUs);
            starts += leftUs >= 0 ? 1 + ((double)leftUs / durationUs) : -(-leftUs / durationUs);
        }

        long heldUs = 0;
        for (var create = 0; create < MaxCreates; create++)
        {
            var servers = pool.Count - idle;
            var one = servers == 0 || plans.Expected().SavedByOneMore(1 - starts - create, servers, durationUs, price, create == 0 ? plans.Of(candidate, servers + 1).WorthGbs : 0) > arrival.CreateCostGbs;
            if (!one)
            {
                break;
            }

            pool.Insert(atUs + coldUs);
            heldUs += coldUs;
        }

        waitUs = Math.Max(0, pool.FreeAtUs(idle) - atUs);
        pool.Remove(idle);
        pool.Insert(atUs + waitUs + durationUs);
        return heldUs;
    }

    private void Enter(int candidate, double slotGbSeconds, double waitSeconds)
    {
        LastSlotGbSeconds[candidate] = slotGbSeconds;
        LastWaitSeconds[candidate] = waitSeconds;
        SlotGbSeconds[candidate] += slotGbSeconds;
        WaitSeconds[candidate] += waitSeconds;
    }

    /// <summary>Costs by candidate.</summary>
    public sealed class Costs
    {
        /// <summary>Slot time beyond execution, GBs.</summary>
        public double[] SlotGbSeconds { get; } = new double[AdaptiveCandidates.Count];

        /// <summary>Waiting, s.</summary>
        public double[] WaitSeconds { get; } = new double[AdaptiveCandidates.Count];
    }

    /// <summary>The plan of a candidate for a rank.</summary>
    public interface IPlans
    {
        ref readonly AdaptivePlan Of(int candidate, int rank);
    }

    /// <summary>The plans, and what is expected, when a request arrives.</summary>
    public interface IOutlook : IPlans
    {
        /// <summary>How many more are expected within the time of a cold start.</summary>
        CrowdOutlook Expected();
    }

    /// <summary>
    /// When each instance is or was last free, ascending, doubled; with the lowest bit set one that has been given back since. Most pools have at
    /// most one.
    /// </summary>
    private struct Pool
    {
        private long[]? _many;
        private long _only;

        /// <summary>Until when idle instances have been paid for, s.</summary>
        private uint _accruedSeconds;

        public int Count;

        [UnscopedRef]
        private Span<long> Slots => _many is null ? new Span<long>(ref _only) : _many;

        public long AccruedUs
        {
            readonly get => _accruedSeconds * 1_000_000L;
            set => _accruedSeconds = (uint)(value / 1_000_000);
        }

        /// <summary>When a slot is or was last free, µs.</summary>
        public readonly long FreeAtUs(int index) => Slot(index) >> 1;

        /// <summary>Whether a slot that is idle has an instance, or one under way, as of when the pool was last paid for.</summary>
        public readonly bool IsLive(int index) => (Slot(index) & 1) == 0;

        public void SetLive(int index, bool live)
        {
            ref var slot = ref Slots[index];
            slot = live ? slot & ~1 : slot | 1;
        }

        public readonly int FirstAfter(long atUs)
        {
            var first = Count;
            while (first > 0 && FreeAtUs(first - 1) > atUs)
            {
                first--;
            }

            return first;
        }

        public void Remove(int index, int count = 1)
        {
            Slots[(index + count)..Count].CopyTo(Slots[index..]);
            Count -= count;
        }

        public void Insert(long atUs)
        {
            if (Slots.Length == Count)
            {
                Resize(2 * Count);
            }

            var slots = Slots;
            var slot = atUs << 1;
            var index = Count++;
            while (index > 0 && slots[index - 1] > slot)
            {
                slots[index] = slots[index - 1];
                index--;
            }

            slots[index] = slot;
        }

        /// <summary>Gives back what a burst took.</summary>
        public void Trim()
        {
            if (Slots.Length > Math.Max(1, Count + (Count / 2)))
            {
                Resize(Count);
            }
        }

        private readonly long Slot(int index) => _many is null ? _only : _many[index];

        private void Resize(int length)
        {
            var many = length > 1 ? new long[length] : null;
            if (many is null)
            {
                _only = Slots[0];
            }
            else
            {
                Slots[..Count].CopyTo(many);
            }

            _many = many;
        }
    }
}

/// <summary>A request, as it is applied to the candidates.</summary>
/// <param name="AtUs">When it arrived, µs.</param>
/// <param name="DurationUs">How long its execution is taken to last, µs.</param>
/// <param name="ColdUs">How long a cold start takes, µs.</param>
/// <param name="MemoryGb">Memory of an instance, GB.</param>
/// <param name="CreateCostGbs">What creating an instance costs, GBs.</param>
/// <param name="Foretold">Whether it came when the function's period said.</param>
/// <param name="InVain">How many others the period had foretold since the arrival before, which did not come.</param>
/// <param name="WindowUs">How long an instance is kept for a foretold one, creation included, µs.</param>
internal readonly record struct Arrival(long AtUs, long DurationUs, long ColdUs, double MemoryGb, double CreateCostGbs, bool Foretold, int InVain, long WindowUs);
