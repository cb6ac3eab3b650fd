namespace FuncScaler.Pool;

/// <summary>
/// The pools of one function, one for each memory and runtime that its requests come with: the pool that the last request used, and those of
/// other settings until they are empty. Both gateways that differ in settings find warm instances so.
/// </summary>
internal sealed class FunctionPools
{
    /// <summary>The pools of other settings, the one that was used last at the end; null for none.</summary>
    private List<SlotPool>? _former;

    public FunctionPools(SlotPool first) => Current = first;

    /// <summary>The pool that the function's last request used.</summary>
    public SlotPool Current
    {
        get;
        private set
        {
            field = value;
            value.Pools = this;
            NextGrant = null;
        }
    }

    /// <summary>
    /// What the next request gets that comes with the settings in it, whichever it is; null where its pool has to decide. Kept here so that a grant
    /// leaves before the pool is looked at: of many functions, the processor's caches hold only a few.
    /// </summary>
    public Effect? NextGrant { get; private set; }

    /// <summary>An event of one of the pools has ended.</summary>
    public void Prepare() => NextGrant = _former is null ? Current.NextGrant : null;

    public bool HasFormer => _former is not null;

    public IReadOnlyList<SlotPool> Former => _former ?? (IReadOnlyList<SlotPool>)[];

    public IEnumerable<SlotPool> All => _former is null ? [Current] : [Current, .. _former];

    /// <summary>The pool in which a request is; where it is in none, the current one.</summary>
    public SlotPool PoolOf(RequestId request) =>
        _former is null || Current.Knows(request) ? Current : _former.Find(p => p.Knows(request)) ?? Current;

    /// <summary>The pool in which a request is that names its instance: of a former run's requests, some are known by that alone.</summary>
    public SlotPool PoolOf(RequestId request, InstanceId instance)
    {
        var pool = PoolOf(request);
        return _former is null || pool.Knows(request) || pool.MayHoldUnknown(instance) ? pool : _former.Find(p => p.MayHoldUnknown(instance)) ?? pool;
    }

    /// <summary>The pool whose slot it is; where it is none's, the current one.</summary>
    public SlotPool PoolOf(SlotTicket ticket) =>
        _former is null || Current.Find(ticket) is not null ? Current : _former.Find(p => p.Find(ticket) is not null) ?? Current;

    /// <summary>The pool whose instances serve requests with these settings; null for none.</summary>
    public SlotPool? Fitting(int memoryMb, string runtime) =>
        Current.Fits(memoryMb, runtime) ? Current : _former?.Find(p => p.Fits(memoryMb, runtime));

    /// <summary>
    /// The pool for a request: the one in which it is already, else the one of its settings, which becomes the current one. A new pool takes
    /// over what the former one has learned.
    /// </summary>
    /// <param name="nowUs">The time, µs.</param>
    /// <param name="function">The function as the request describes it.</param>
    /// <param name="request">The request.</param>
    /// <param name="make">Makes a pool for settings that no pool has.</param>
    /// <param name="effects">Where effects are added.</param>
    public SlotPool For(long nowUs, FunctionMeta function, RequestId request, Func<FunctionMeta, SlotPool> make, List<Effect> effects)
    {
        var known = PoolOf(request);
        if (known.Knows(request))
        {
            return known;
        }

        var before = Current;
        if (Fitting(function.MemoryMb, function.Runtime) is not { } pool)
        {
            pool = make(function);
            pool.TakeLearned(before);
            Current = pool;
        }
        else if (pool != before)
        {
            _former!.Remove(pool);
            Current = pool;
            pool.BecomeFormer(nowUs, former: false);
        }

        if (pool != before)
        {
            (_former ??= []).Add(before);
            before.BecomeFormer(nowUs, former: true);
        }

        pool.UpdateFunction(nowUs, function, effects);
        return pool;
    }

    /// <summary>A pool is let go. Where it was the current one, the settings before it are the function's again.</summary>
    /// <returns>False when it was the last.</returns>
    public bool Remove(long nowUs, SlotPool pool)
    {
        if (_former is null)
        {
            return false;
        }

        if (pool == Current)
        {
            Current = _former[^1];
            Current.BecomeFormer(nowUs, former: false);
            _former.RemoveAt(_former.Count - 1);
        }
        else
        {
            _former.Remove(pool);
        }

        _former = _former.Count == 0 ? null : _former;
        return true;
    }
}
