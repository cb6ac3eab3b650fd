using System.Diagnostics.CodeAnalysis;

namespace FuncScaler.Policies;

/// <summary>
/// What one function's requests would have cost under each of the candidates: a pool of pretended instances for every candidate, to which
/// the real arrivals are applied. Executions take as long as the last eight that ended, in turn; costs age.
/// </summary>
/// <param name="last">Where what an arrival added is put; it may be shared with others, who overwrite it.</param>
internal sealed class AdaptiveShadows(AdaptiveShadows.Costs last)
{
    private const int MaxCreates = 64;

    private readonly Pool[] _pools = new Pool[AdaptiveCandidates.Count];

    /// <summary>GBs of slot time beyond execution, aged.</summary>
    public double[] SlotGbSeconds { get; } = new double[AdaptiveCandidates.Count];

    /// <summary>Seconds of waiting, aged.</summary>
    public double[] WaitSeconds { get; } = new double[AdaptiveCandidates.Count];

    /// <summary>What the last arrival added: GBs of slot time.</summary>
    public double[] LastSlotGbSeconds => last.SlotGbSeconds;

    /// <summary>What the last arrival added: seconds of waiting.</summary>
    public double[] LastWaitSeconds => last.WaitSeconds;

    /// <summary>How many instances a candidate has, busy and idle, as of the last arrival.</summary>
    public int Instances(int candidate) => _pools[candidate].Count;

    public void Age(double factor)
    {
        for (var i = 0; i < _pools.Length; i++)
        {
            SlotGbSeconds[i] *= factor;
            WaitSeconds[i] *= factor;
        }
    }

    /// <summary>Applies an arrival to a candidate's pool; whether it found no instance.</summary>
    public bool Arrive<TPlans>(int candidate, in Arrival arrival, TPlans plans)
        where TPlans : struct, IPlans
    {
        ref var pool = ref _pools[candidate];
        var atUs = arrival.AtUs;
        var idle = pool.FirstAfter(atUs);
        var rank = pool.Count - idle + 1;
        long waitUs = 0;
        var heldUs = Accrue(ref pool, candidate, atUs, arrival.ColdUs, 1_000_000, ref idle, plans);
        var served = false;
        while (idle > 0 && !served)
        {
            var plan = plans.Of(candidate, rank);
            var freeAt = pool.FreeAt[idle - 1];
            served = plan.Serves(atUs - freeAt, arrival.ColdUs, out var held, out waitUs);
            plan.Serves(Math.Max(0, pool.AccruedUs - freeAt), arrival.ColdUs, out var before, out _);
            heldUs += held - before;
            pool.Remove(--idle);
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
            heldUs += Miss(ref pool, candidate, arrival, plans, out waitUs);
        }

        Enter(candidate, arrival.MemoryGb * heldUs / 1e6, waitUs / 1e6);
        return !served;
    }

    /// <summary>Enters what idle instances have cost since last time.</summary>
    public void Settle<TPlans>(int candidate, long nowUs, long coldUs, double memoryGb, TPlans plans)
        where TPlans : struct, IPlans
    {
        ref var pool = ref _pools[candidate];
        var idle = pool.FirstAfter(nowUs);
        Enter(candidate, memoryGb * Accrue(ref pool, candidate, nowUs, coldUs, 0, ref idle, plans) / 1e6, 0);
    }

    /// <summary>What idle instances have cost since last time, if that is a while ago; those whose plan has ended are forgotten.</summary>
    private static long Accrue<TPlans>(ref Pool pool, int candidate, long nowUs, long coldUs, long everyUs, ref int idle, TPlans plans)
        where TPlans : struct, IPlans
    {
        if (nowUs - pool.AccruedUs < everyUs)
        {
            return 0;
        }

        // To the whole second, which is what is remembered.
        nowUs -= nowUs % 1_000_000;
        long heldUs = 0;
        var kept = 0;
        for (var i = 0; i < idle; i++)
        {
            ref readonly var plan = ref plans.Of(candidate, pool.Count - i);
            var freeAt = pool.FreeAt[i];
            plan.Serves(Math.Max(0, nowUs - freeAt), coldUs, out var held, out _);
            plan.Serves(Math.Max(0, pool.AccruedUs - freeAt), coldUs, out var before, out _);
            heldUs += held - before;
            if (nowUs - freeAt <= plan.EndUs)
            {
                pool.FreeAt[kept++] = freeAt;
            }
        }

        if (kept < idle)
        {
            pool.FreeAt[idle..pool.Count].CopyTo(pool.FreeAt[kept..]);
            pool.Count -= idle - kept;
            idle = kept;
            pool.Trim();
        }

        pool.AccruedUs = nowUs;
        return heldUs;
    }

    private static long Miss<TPlans>(ref Pool pool, int candidate, in Arrival arrival, TPlans plans, out long waitUs)
        where TPlans : struct, IPlans
    {
        var atUs = arrival.AtUs;
        var coldUs = arrival.ColdUs;
        var durationUs = arrival.DurationUs;
        var price = AdaptiveCandidates.PriceOf(candidate);
        var busy = pool.Count;
        double starts = 0;
        for (var i = 0; i < busy; i++)
        {
            var freeAt = pool.FreeAt[i];
            var left = coldUs - (freeAt - atUs);
            starts += left >= 0 ? 1 + ((double)left / durationUs) : 0;
        }

        long heldUs = 0;
        for (var create = 0; create < MaxCreates; create++)
        {
            var one = pool.Count == 0 || AdaptivePolicy.WorthOneMore(1 + arrival.Expected - starts - create, pool.Count, durationUs, price, create == 0 ? plans.Of(candidate, pool.Count + 1).WorthGbs : 0, arrival.CreateCostGbs);
            if (!one)
            {
                break;
            }

            pool.Insert(atUs + coldUs);
            heldUs += coldUs;
        }

        waitUs = Math.Max(0, pool.FreeAt[0] - atUs);
        pool.Remove(0);
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

    /// <summary>When each instance is or was last free, ascending. Most pools have at most one.</summary>
    private struct Pool
    {
        private long[]? _many;
        private long _only;

        /// <summary>Until when idle instances have been paid for, s.</summary>
        private uint _accruedSeconds;

        public int Count;

        public long AccruedUs
        {
            readonly get => _accruedSeconds * 1_000_000L;
            set => _accruedSeconds = (uint)(value / 1_000_000);
        }

        [UnscopedRef]
        public Span<long> FreeAt => _many is null ? new Span<long>(ref _only) : _many;

        public int FirstAfter(long atUs)
        {
            var freeAt = FreeAt;
            var first = Count;
            while (first > 0 && freeAt[first - 1] > atUs)
            {
                first--;
            }

            return first;
        }

        public void Remove(int index)
        {
            FreeAt[(index + 1)..Count].CopyTo(FreeAt[index..]);
            Count--;
        }

        public void Insert(long atUs)
        {
            if (FreeAt.Length == Count)
            {
                Resize(2 * Count);
            }

            var freeAt = FreeAt;
            var index = Count++;
            while (index > 0 && freeAt[index - 1] > atUs)
            {
                freeAt[index] = freeAt[index - 1];
                index--;
            }

            freeAt[index] = atUs;
        }

        /// <summary>Gives back what a burst took.</summary>
        public void Trim()
        {
            if (FreeAt.Length > Math.Max(1, 2 * Count))
            {
                Resize(Count);
            }
        }

        private void Resize(int length)
        {
            var many = length > 1 ? new long[length] : null;
            if (many is null)
            {
                _only = FreeAt[0];
            }
            else
            {
                FreeAt[..Count].CopyTo(many);
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
/// <param name="Expected">How many more are expected within the time of a cold start.</param>
/// <param name="Foretold">Whether it came when the function's period said.</param>
/// <param name="InVain">How many others the period had foretold since the arrival before, which did not come.</param>
/// <param name="WindowUs">How long an instance is kept for a foretold one, creation included, µs.</param>
internal readonly record struct Arrival(long AtUs, long DurationUs, long ColdUs, double MemoryGb, double CreateCostGbs, double Expected, bool Foretold, int InVain, long WindowUs);
