namespace FuncScaler.Policies;

/// <summary>
/// What one function's requests would have cost under each of the candidates: a pool of pretended instances for every candidate, to which
/// the real arrivals are applied. Executions take as long as the last one that ended; costs age.
/// </summary>
internal sealed class AdaptiveShadows
{
    public static readonly double[] DbgS = new double[20];
    public static readonly double[] DbgL = new double[20];
    private const int MaxCreates = 64;

    private readonly Pool[] _pools = new Pool[AdaptiveCandidates.Count];

    /// <summary>GBs of slot time beyond execution, aged.</summary>
    public double[] SlotGbSeconds { get; } = new double[AdaptiveCandidates.Count];

    /// <summary>Seconds of waiting, aged.</summary>
    public double[] WaitSeconds { get; } = new double[AdaptiveCandidates.Count];

    /// <summary>What the last arrival added: GBs of slot time.</summary>
    public double[] LastSlotGbSeconds { get; } = new double[AdaptiveCandidates.Count];

    /// <summary>What the last arrival added: seconds of waiting.</summary>
    public double[] LastWaitSeconds { get; } = new double[AdaptiveCandidates.Count];

    public void Age(double factor)
    {
        for (var i = 0; i < _pools.Length; i++)
        {
            SlotGbSeconds[i] *= factor;
            WaitSeconds[i] *= factor;
        }
    }

    /// <summary>Applies an arrival to a candidate's pool; whether it found no instance.</summary>
    public bool Arrive<TPlans>(int candidate, long atUs, long durationUs, long coldUs, double memoryGb, double price, double expected, TPlans plans)
        where TPlans : struct, IPlans
    {
        ref var pool = ref _pools[candidate];
        long heldUs = 0, waitUs = 0;
        var missed = false;
        var busyFrom = pool.FirstAfter(atUs);
        var busy = pool.Count - busyFrom;

        // The oldest idle instances, which may never be asked for again.
        heldUs += Expire(ref pool, candidate, atUs, coldUs, ref busyFrom, plans);
        while (true)
        {
            if (busyFrom == 0)
            {
                missed = true;
                heldUs += Miss(ref pool, candidate, atUs, durationUs, coldUs, memoryGb, price, expected, plans, out waitUs);
                break;
            }

            ref readonly var plan = ref plans.Of(candidate, busy + 1);
            var age = atUs - pool.FreeAt[busyFrom - 1];
            var served = plan.Serves(age, coldUs, out var held, out waitUs);
            heldUs += held;
            pool.Remove(--busyFrom);
            if (served)
            {
                pool.Insert(atUs + waitUs + durationUs);
                break;
            }
        }

        Enter(candidate, memoryGb * heldUs / 1e6, waitUs / 1e6);
        return missed;
    }

    /// <summary>Enters what instances cost that are held in vain.</summary>
    public void Settle<TPlans>(int candidate, long nowUs, long coldUs, double memoryGb, TPlans plans)
        where TPlans : struct, IPlans
    {
        ref var pool = ref _pools[candidate];
        var busyFrom = pool.FirstAfter(nowUs);
        Enter(candidate, memoryGb * Expire(ref pool, candidate, nowUs, coldUs, ref busyFrom, plans) / 1e6, 0);
    }

    private static long Expire<TPlans>(ref Pool pool, int candidate, long nowUs, long coldUs, ref int busyFrom, TPlans plans)
        where TPlans : struct, IPlans
    {
        long heldUs = 0;
        while (busyFrom > 0)
        {
            ref readonly var plan = ref plans.Of(candidate, pool.Count);
            var age = nowUs - pool.FreeAt[0];
            if (age <= plan.EndUs)
            {
                break;
            }

            plan.Serves(age, coldUs, out var held, out _);
            heldUs += held;
            pool.Remove(0);
            busyFrom--;
        }

        return heldUs;
    }

    private static long Miss<TPlans>(ref Pool pool, int candidate, long atUs, long durationUs, long coldUs, double memoryGb, double price, double expected, TPlans plans, out long waitUs)
        where TPlans : struct, IPlans
    {
        var busy = pool.Count;
        double starts = 0;
        for (var i = 0; i < busy; i++)
        {
            var freeAt = pool.FreeAt[i];
            var left = coldUs - (freeAt - atUs);
            starts += left >= 0 ? 1 + ((double)left / durationUs) : 0;
        }

        var plain = candidate >= AdaptiveCandidates.Prices.Length;
        if (plain)
        {
            pool.Forget(atUs);
        }

        long heldUs = 0;
        for (var create = 0; create < MaxCreates; create++)
        {
            var one = plain
                ? create == 0 && (pool.Count == 0 || pool.Starts.Count + 1 > pool.Readies.Count)
                : pool.Count == 0 || AdaptivePolicy.WorthOneMore(1 + expected - starts - create, pool.Count, durationUs, price, create == 0 ? plans.Of(candidate, pool.Count + 1).WorthGbs : 0, memoryGb * coldUs / 1e6);
            if (!one)
            {
                break;
            }

            pool.Insert(atUs + coldUs);
            heldUs += coldUs;
            if (plain)
            {
                pool.Readies.Enqueue(atUs + coldUs);
            }
        }

        waitUs = Math.Max(0, pool.FreeAt[0] - atUs);
        pool.Remove(0);
        pool.Insert(atUs + waitUs + durationUs);
        if (plain)
        {
            pool.Starts.Enqueue(atUs + waitUs);
        }

        return heldUs;
    }

    private void Enter(int candidate, double slotGbSeconds, double waitSeconds)
    {
        DbgS[candidate] += slotGbSeconds;
        DbgL[candidate] += waitSeconds;
        LastSlotGbSeconds[candidate] = slotGbSeconds;
        LastWaitSeconds[candidate] = waitSeconds;
        SlotGbSeconds[candidate] += slotGbSeconds;
        WaitSeconds[candidate] += waitSeconds;
    }

    /// <summary>The plan of a candidate for a rank.</summary>
    public interface IPlans
    {
        ref readonly AdaptivePlan Of(int candidate, int rank);
    }

    /// <summary>When each instance is or was last free, ascending.</summary>
    private struct Pool
    {
        public long[] FreeAt;
        public int Count;
        public Queue<long> Starts;
        public Queue<long> Readies;

        /// <summary>Forgets which requests waited and which instances were in flight before.</summary>
        public void Forget(long nowUs)
        {
            Starts ??= new Queue<long>(1);
            Readies ??= new Queue<long>(1);
            while (Starts.TryPeek(out var start) && start <= nowUs)
            {
                Starts.Dequeue();
            }

            while (Readies.TryPeek(out var ready) && ready <= nowUs)
            {
                Readies.Dequeue();
            }
        }

        public readonly int FirstAfter(long atUs)
        {
            var first = Count;
            while (first > 0 && FreeAt[first - 1] > atUs)
            {
                first--;
            }

            return first;
        }

        public void Remove(int index)
        {
            Count--;
            Array.Copy(FreeAt, index + 1, FreeAt, index, Count - index);
        }

        public void Insert(long atUs)
        {
            if (FreeAt is null || FreeAt.Length == Count)
            {
                Array.Resize(ref FreeAt, Math.Max(2, 2 * Count));
            }

            var index = Count++;
            while (index > 0 && FreeAt[index - 1] > atUs)
            {
                FreeAt[index] = FreeAt[index - 1];
                index--;
            }

            FreeAt[index] = atUs;
        }
    }
}

/// <summary>What each function chooses among: plans made for a price, and plain keep-alive times, which know nothing and so cannot err.</summary>
internal static class AdaptiveCandidates
{
    /// <summary>Prices plans are made for, GBs per second of waiting.</summary>
    public static readonly double[] Prices = [0.12, 0.5, 1, 2, 4, 8, 16, 64, 256];

    /// <summary>Keep-alive times, s; these candidates create on every miss.</summary>
    public static readonly double[] HoldSeconds = [1, 20, 300];

    /// <summary>The number of candidates.</summary>
    public static readonly int Count = Prices.Length + HoldSeconds.Length;

    /// <summary>The candidate whose price is nearest.</summary>
    public static int Nearest(double price)
    {
        var best = 0;
        for (var i = 1; i < Prices.Length; i++)
        {
            if (Math.Abs(Math.Log(Prices[i] / price)) < Math.Abs(Math.Log(Prices[best] / price)))
            {
                best = i;
            }
        }

        return best;
    }

    /// <summary>The price a candidate weighs waiting with.</summary>
    public static double PriceOf(int candidate) => candidate < Prices.Length ? Prices[candidate] : 1e6;
}
