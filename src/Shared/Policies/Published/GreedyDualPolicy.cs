namespace FuncScaler.Policies.Published;

/// <summary>
/// Keeps every instance until memory is short, then evicts where the priority is lowest: clock + frequency * cost / size. Source: Fuerst
/// and Sharma, "FaasCache: Keeping Serverless Computing Alive with Greedy-Dual Caching" (ASPLOS 2021).
/// </summary>
/// <remarks>
/// As published: memory is a cache of a fixed size for all functions. A function's use sets its priority to clock + frequency * cost /
/// size, with the cold start time as cost and the memory as size; eviction of the lowest priority advances the clock to it; the frequency
/// counts uses and begins again once all instances of a function are gone.
/// What the paper leaves open or cannot have here, and what is taken: as in the authors' simulator all instances of a function share the
/// priority of its last use, and of these the least recently used goes first. The cost is the learned time of create plus init in s, the
/// size in GB; a cost learned later counts for earlier uses too. Only idle instances can go, so the cap bounds what is kept, not what is
/// busy: no request is refused, where the paper drops it. Memory counts from the wish to create until the wish to destroy, so that an
/// instance begins to go when its successor begins to come. The lowest priority is found by looking at every function.
/// </remarks>
public class GreedyDualPolicy : IKeepAlivePolicy
{
    private readonly InstanceCache _cache;
    private readonly MetaKey _function;
    private double _clock;
    private long _uses;
    private bool _used;
    private double _costSeconds;
    private double _memoryMb;

    // As at the last look: slots not yet given back, those of them idle, and how many of the idle ones are to go.
    private int _held;
    private int _idle;
    private int _condemned;

    internal GreedyDualPolicy(FunctionMeta function, InstanceCache cache)
    {
        _function = function.Key;
        _memoryMb = function.MemoryMb;
        _cache = cache;
        cache.Functions.Add(this);
    }

    public bool HasStandby => true;

    /// <summary>Slots not yet given back.</summary>
    private protected int Held => _held;

    /// <summary>Among how many the worth of a function's uses is divided.</summary>
    private protected virtual double Shares => 1;

    private double Priority => _clock + (_uses * _costSeconds / (_memoryMb / 1024) / Shares);

    private double MemoryMb => (_held - _condemned) * _memoryMb;

    /// <summary>What begins a scaler with this policy: one cache for all its functions.</summary>
    public static PolicyChoice Choose(GreedyDualPolicyOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new PolicyChoice("", host =>
        {
            var cache = new InstanceCache(options.MemoryGb * 1024, host);
            return function => new GreedyDualPolicy(function, cache);
        })
        { SharesState = true };
    }

    public virtual void RequestArrived(in PoolView pool)
    {
        if (pool.Busy + pool.Idle + pool.InFlight + pool.Waiters == 0)
        {
            _uses = 0;
        }

        _uses++;
        _used = true;
    }

    /// <inheritdoc cref="IKeepAlivePolicy.CreateOnMiss"/>
    public virtual int CreateOnMiss(in PoolView pool) => Math.Min(1, pool.Missing);

    public virtual KeepDecision Keep(in PoolView pool, in IdleSlot slot)
    {
        // The least recently used are at the end of the ranks.
        if (slot.Rank - pool.Busy <= pool.Idle - _condemned)
        {
            return KeepDecision.HoldForGood;
        }

        _condemned--;
        _idle--;
        _held--;
        return KeepDecision.LetGoNow;
    }

    public virtual StandbyPlan Standby(in PoolView pool)
    {
        var before = MemoryMb;
        _memoryMb = pool.Function.MemoryMb;
        _costSeconds = pool.Statistics.ColdStartUs / 1e6;
        _held = pool.Busy + pool.Idle + pool.InFlight;
        _idle = pool.Idle;
        _condemned = Math.Min(_condemned, _idle);
        _cache.Changed(MemoryMb - before, this);
        if (_used)
        {
            // A use has the clock's time after the evictions that made room for it.
            _used = false;
            _clock = _cache.Clock;
        }

        return StandbyPlan.None with { ReviewIdle = _condemned > 0 };
    }

    public void Forgotten() => _cache.Functions.Remove(this);

    /// <summary>What the functions of a scaler share: the clock and the memory.</summary>
    internal sealed class InstanceCache(double capacityMb, IPolicyHost host)
    {
        private double _usedMb;

        public double Clock { get; private set; }

        public List<GreedyDualPolicy> Functions { get; } = [];

        /// <summary>A function's memory has changed; evicts while there is too much and something idle.</summary>
        public void Changed(double byMb, GreedyDualPolicy function)
        {
            _usedMb += byMb;
            while (_usedMb > capacityMb && Lowest() is { } victim)
            {
                Clock = Math.Max(Clock, victim.Priority);
                victim._condemned++;
                _usedMb -= victim._memoryMb;
                if (victim != function)
                {
                    host.RequestReview(victim._function);
                }
            }
        }

        private GreedyDualPolicy? Lowest()
        {
            GreedyDualPolicy? lowest = null;
            foreach (var function in Functions)
            {
                if (function._idle > function._condemned && (lowest is null || function.Priority < lowest.Priority))
                {
                    lowest = function;
                }
            }

            return lowest;
        }
    }
}

/// <summary>Options of <see cref="GreedyDualPolicy"/>.</summary>
public sealed record GreedyDualPolicyOptions
{
    /// <summary>
    /// The memory that all instances together may take while any of them is idle, GB, 0.001 to 1,000,000. Without a bound nothing would ever go.
    /// </summary>
    /// <value>The default is 31.25 GB: the 32,000 MB of the authors' simulator.</value>
    public double MemoryGb { get; init; } = 31.25;

    internal GreedyDualPolicyOptions Read(PolicyOptionReader reader) =>
        this with { MemoryGb = reader.Number("gb", MemoryGb, 0.001, 1_000_000, main: true) };
}
